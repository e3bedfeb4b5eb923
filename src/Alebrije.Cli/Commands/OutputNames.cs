using System.Globalization;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>File names of a run's pictures; nothing that exists is overwritten without being named.</summary>
internal sealed class OutputNames
{
    private readonly string? folder;
    private readonly string? file;
    private readonly IReadOnlyList<GenerationRequest> requests;
    private readonly HashSet<string> taken = [];

    public OutputNames(string? output, IReadOnlyList<GenerationRequest> requests, Words words)
    {
        this.requests = requests;
        if (output is null)
        {
            OutputFile.Check(NameOf(requests[0]) + ".png", words);
            return;
        }

        var extension = Path.GetExtension(output);
        if (extension.Equals(".png", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(output))
        {
            if (requests.Count > 1)
            {
                throw new UsageException(words.In(
                    $"--out {output} names one file, and {requests.Count} pictures are asked for; name a folder.",
                    $"--out {output} nombra un solo archivo y se piden {requests.Count} imágenes; nombra una carpeta."));
            }

            file = output;
            if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } parent) OutputFile.CheckFolder(parent, Path.GetFileName(output), words);
        }
        else if (extension is ".jpg" or ".jpeg" or ".webp" or ".gif" or ".bmp")
        {
            throw new UsageException(words.In(
                $"--out {output}: pictures are written as .png, because it keeps the recipe; name a .png file or a folder.",
                $"--out {output}: las imágenes se escriben como .png, que conserva la receta; nombra un archivo .png o una carpeta."));
        }
        else
        {
            folder = output;
            if (Enumerable.Range(0, requests.Count).Select(InFolder).FirstOrDefault(File.Exists) is { } there)
            {
                throw new UsageException(words.In(
                    $"--out {output}: {there} is there already and would be replaced; name another folder.",
                    $"--out {output}: {there} ya existe y se reemplazaría; nombra otra carpeta."));
            }

            OutputFile.CheckFolder(output, "0000.png", words);
        }
    }

    /// <summary>Where picture <paramref name="i"/> goes.</summary>
    public string Of(int i)
    {
        if (file is not null) return file;
        if (folder is not null) return InFolder(i);
        var name = NameOf(requests[i]);
        var path = name + ".png";
        for (var n = 2; File.Exists(path) || taken.Contains(path); n++) path = $"{name}-{n}.png";
        taken.Add(path);
        return path;
    }

    private string InFolder(int i) => Path.Combine(folder!, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");

    private static string NameOf(GenerationRequest request)
    {
        var letters = request.Prompt.ToLowerInvariant().Select(c => char.IsLetterOrDigit(c) ? c : '-').ToArray();
        var words = string.Join('-', new string(letters).Split('-', StringSplitOptions.RemoveEmptyEntries));
        return $"{(words.Length == 0 ? "picture" : words.Length > 60 ? words[..60].TrimEnd('-') : words)}-{request.Seed}";
    }
}
