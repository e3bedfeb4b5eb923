using System.Globalization;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>File names of a run's images; only an explicitly named file is overwritten.</summary>
internal sealed class OutputNames
{
    private readonly string? folder;
    private readonly string? file;
    private readonly IReadOnlyList<GenerationRequest> requests;

    public OutputNames(string? output, IReadOnlyList<GenerationRequest> requests, Words words)
    {
        this.requests = requests;
        if (output is null)
        {
            OutputFile.Check(OutputFile.Free(NameOf(requests[0])), words);
            return;
        }

        OutputFile.RefuseOtherPictures(output, animates: false, words);
        if (Path.GetExtension(output).Equals(".png", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(output))
        {
            if (requests.Count > 1)
                throw new UsageException(words["output.one-file-many-pictures", output, requests.Count]);
            file = output;
            if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } parent)
                OutputFile.CheckFolder(parent, Path.GetFileName(output), words);
        }
        else
        {
            folder = output;
            if (Enumerable.Range(0, requests.Count).Select(InFolder).FirstOrDefault(File.Exists) is { } there)
                throw new UsageException(words["output.there-already", output, there]);
            OutputFile.CheckFolder(output, "0000.png", words);
        }
    }

    /// <summary>
    /// Path of image <paramref name="i"/>; without an output an unused name, so that each must be written before the next call.
    /// </summary>
    public string Of(int i)
    {
        if (file is not null) return file;
        if (folder is not null) return InFolder(i);
        return OutputFile.Free(NameOf(requests[i]));
    }

    private string InFolder(int i) => Path.Combine(folder!, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");

    private static string NameOf(GenerationRequest request)
    {
        var letters = request.Prompt.ToLowerInvariant().Select(c => char.IsLetterOrDigit(c) ? c : '-').ToArray();
        var name = string.Join('-', new string(letters).Split('-', StringSplitOptions.RemoveEmptyEntries));
        return $"{(name.Length == 0 ? "picture" : name.Length > 60 ? name[..60].TrimEnd('-') : name)}-{request.Seed}";
    }
}
