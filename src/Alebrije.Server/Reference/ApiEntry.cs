namespace Alebrije.Server.Reference;

/// <summary>An address of the service in its reference.</summary>
/// <param name="Method">GET, POST or DELETE.</param>
/// <param name="Path">Its route.</param>
/// <param name="Tag">Group on the page.</param>
/// <param name="Summary">Its subject in a few words.</param>
internal sealed record ApiEntry(string Method, string Path, string Tag, string Summary)
{
    /// <summary>Fields of the body, separated by blanks: <c>name:type</c>, with <c>!</c> where they are needed; null: no body.</summary>
    public string? Body { get; init; }

    /// <summary>True for a form with files instead of JSON.</summary>
    public bool IsForm { get; init; }

    /// <summary>A body that works.</summary>
    public string? Example { get; init; }

    /// <summary>Parameters of the query, written as <see cref="Body"/>.</summary>
    public string Query { get; init; } = "";

    /// <summary>Fields of the answer, written as <see cref="Body"/>; empty for answers that are not a JSON object.</summary>
    public string Answer { get; init; } = "";

    /// <summary>Status of success.</summary>
    public int Status { get; init; } = 200;

    /// <summary>Media type of the answer.</summary>
    public string Type { get; init; } = "application/json";

    /// <summary>True if <c>stream: true</c> makes the answer one of events.</summary>
    public bool Streams { get; init; }

    /// <summary>True if errors have OpenAI's shape.</summary>
    public bool IsOpenAi => Path.StartsWith("/v1", StringComparison.Ordinal);
}
