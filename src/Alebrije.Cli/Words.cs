namespace Alebrije.Cli;

/// <summary>Messages in the language that was asked for. Both languages stand side by side where they are used.</summary>
/// <param name="Language"><c>en</c> or <c>es</c>.</param>
internal readonly record struct Words(string Language)
{
    /// <summary>One of the two.</summary>
    public string In(string english, string spanish) => Language == "es" ? spanish : english;

    /// <summary>"1 image", "3 images".</summary>
    public string Images(int count) => In(count == 1 ? "1 image" : $"{count} images", count == 1 ? "1 imagen" : $"{count} imágenes");

    /// <summary>"1 text", "3 texts".</summary>
    public string Texts(int count) => In(count == 1 ? "1 text" : $"{count} texts", count == 1 ? "1 texto" : $"{count} textos");

    /// <summary>"wrote FILE".</summary>
    public string Wrote(string path) => In($"Wrote {path}", $"Escrito en {path}");
}
