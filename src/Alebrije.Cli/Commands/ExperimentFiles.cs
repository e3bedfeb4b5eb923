using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Files of an experiment.</summary>
/// <param name="Sheet">The labelled sheet, or null.</param>
/// <param name="Animation">The animation, or null.</param>
/// <param name="Pictures">The single images; empty if only the sheet is written.</param>
internal sealed record SavedExperiment(string? Sheet, string? Animation, IReadOnlyList<string> Pictures)
{
    /// <summary>True if nothing is written.</summary>
    public bool IsEmpty => Sheet is null && Animation is null && Pictures.Count == 0;
}

/// <summary>Writes an experiment's sheet, images, animation and numbers; each PNG contains the recipe of its image.</summary>
internal sealed class ExperimentFiles
{
    private const string SheetName = "sheet.png", AnimationName = "animation.png";
    private const int MillisecondsPerPicture = 150;

    private readonly string? folder;
    private readonly string sheet;
    private readonly string? animation;

    public ExperimentFiles(string? output, ExperimentKind kind, ulong seed, Words words)
    {
        var name = $"{Name(kind)}-{seed}";
        if (output is null)
        {
            sheet = OutputFile.Free(name);
            OutputFile.Check(sheet, words);
            return;
        }

        OutputFile.RefuseOtherPictures(output, animates: true, words);
        var extension = Path.GetExtension(output).ToLowerInvariant();
        if (extension is ".png" or ".apng" && !Directory.Exists(output))
        {
            if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } parent)
                OutputFile.CheckFolder(parent, Path.GetFileName(output), words);
            (sheet, animation) = extension == ".png" ? (output, null) : (OutputFile.Free(OutputFile.StemOf(output)), output);
            return;
        }

        OutputFile.CheckEmptyFolder("--out", output, words);
        OutputFile.CheckFolder(output, SheetName, words);
        (folder, sheet) = (output, Path.Combine(output, SheetName));
        animation = kind is ExperimentKind.Interpolate or ExperimentKind.TextDiff ? Path.Combine(output, AnimationName) : null;
    }

    /// <summary>The verb of a kind.</summary>
    public static string Name(ExperimentKind kind) =>
        kind == ExperimentKind.PcaReconstruct ? "pca-reconstruct" : kind.ToString().ToLowerInvariant();

    /// <summary>Files written so far; the sheet is null before it is written.</summary>
    public SavedExperiment Saved { get; private set; } = new(null, null, []);

    /// <summary>Writes the last image of the result so far, if single images are written.</summary>
    public void Add(string model, ExperimentResult result)
    {
        if (folder is not null)
            Saved = Saved with { Pictures = [.. Saved.Pictures, Picture(folder, model, result, result.Pictures.Count - 1)] };
    }

    /// <summary>Writes the sheet, and the animation if there is one.</summary>
    public void Save(string model, ExperimentResult result)
    {
        result.Sheet().SavePng(sheet, Recipe.Of(model, result, picture: null));
        Saved = Saved with { Sheet = sheet };
        if (animation is null) return;
        WrittenFile.Write(animation, AnimatedPng.Encode([.. result.Pictures.Select(picture => picture.Image)],
            MillisecondsPerPicture, Recipe.Of(model, result, picture: 0)));
        Saved = Saved with { Animation = animation };
    }

    /// <summary>Writes the figures of every image, and the images.</summary>
    public static void Trace(string folder, string model, ExperimentResult result)
    {
        WrittenFile.MakeFolder(folder);
        var paths = Enumerable.Range(0, result.Pictures.Count).Select(i => Picture(folder, model, result, i)).ToArray();
        new GenerationTrace(folder).Finish(new
        {
            model, result.Experiment, pictures = result.Pictures.Select((picture, i) =>
                new { file = Path.GetFileName(paths[i]), picture.Label, picture.Numbers }),
        });
    }

    private static string Picture(string folder, string model, ExperimentResult result, int i)
    {
        var path = Path.Combine(folder, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");
        result.Pictures[i].Image.SavePng(path, Recipe.Of(model, result, i));
        return path;
    }
}
