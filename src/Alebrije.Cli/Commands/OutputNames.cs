using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;

namespace Alebrije.Cli.Commands;

/// <summary>File names of a run's images; only an explicitly named file is overwritten.</summary>
internal sealed class OutputNames
{
    private readonly string? folder;
    private readonly string? file;
    private readonly IReadOnlyList<GenerationRequest> requests;

    /// <param name="output">Value of <c>--out</c>: a file, a folder, or null.</param>
    /// <param name="all">Requests of the run.</param>
    /// <param name="words">Language.</param>
    /// <param name="resume">True leaves out the images that a folder has from an earlier, stopped run.</param>
    /// <exception cref="UsageException">A file is there already, or is of another run.</exception>
    public OutputNames(string? output, IReadOnlyList<GenerationRequest> all, Words words, bool resume = false)
    {
        requests = all;
        Missing = [.. Enumerable.Range(0, all.Count)];
        if (resume && (output is null || Path.GetExtension(output).Equals(".png", StringComparison.OrdinalIgnoreCase)))
            throw new UsageException(words["output.resume-folder"]);
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
            if (!resume && Missing.Select(InFolder).FirstOrDefault(File.Exists) is { } there)
                throw new UsageException(words["output.there-already", output, there]);
            if (resume) Missing = [.. Missing.Where(i => !IsThere(i, words))];
            if (Missing.Count > 0) OutputFile.CheckFolder(output, "0000.png", words, Missing.Count * DiskSpace.Block);
            UnfinishedFile.Sweep(output);
        }
    }

    /// <summary>Positions of the requests whose images are to be drawn, in order.</summary>
    public IReadOnlyList<int> Missing { get; }

    /// <summary>
    /// Path of the <paramref name="i"/>-th image that is drawn; without an output an unused name, so that each must be
    /// written before the next call.
    /// </summary>
    public string Of(int i)
    {
        if (file is not null) return file;
        if (folder is not null) return InFolder(Missing[i]);
        return OutputFile.Free(NameOf(requests[i]));
    }

    /// <summary>True if an image is there, of the same prompt and seed.</summary>
    private bool IsThere(int i, Words words)
    {
        var (file, asked) = (InFolder(i), requests[i]);
        if (!File.Exists(file)) return false;
        return Recipe.Read(file).Request is { } drawn && drawn.Prompt == asked.Prompt && drawn.Seed == asked.Seed ? true
            : throw new UsageException(words["output.resume-other", file]);
    }

    private string InFolder(int i) => Path.Combine(folder!, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");

    private static string NameOf(GenerationRequest request)
    {
        var letters = request.Prompt.ToLowerInvariant().Select(c => char.IsLetterOrDigit(c) ? c : '-').ToArray();
        var name = string.Join('-', new string(letters).Split('-', StringSplitOptions.RemoveEmptyEntries));
        return $"{(name.Length == 0 ? "picture" : name.Length > 60 ? name[..60].TrimEnd('-') : name)}-{request.Seed}";
    }
}
