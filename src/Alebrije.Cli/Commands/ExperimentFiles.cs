using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Where the pictures of an experiment went.</summary>
/// <param name="Sheet">The labelled sheet.</param>
/// <param name="Animation">The animation, or null.</param>
/// <param name="Pictures">The pictures one by one; empty where only the sheet was written.</param>
internal sealed record SavedExperiment(string Sheet, string? Animation, IReadOnlyList<string> Pictures);

/// <summary>Writes an experiment's sheet, pictures, animation and numbers; each PNG holds the recipe of its picture.</summary>
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
            if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } parent) Directory.CreateDirectory(parent);
            (sheet, animation) = extension == ".png" ? (output, null) : (OutputFile.Free(OutputFile.StemOf(output)), output);
            OutputFile.Check(output, words);
            return;
        }

        OutputFile.CheckEmptyFolder("--out", output, words);
        OutputFile.CheckFolder(output, SheetName, words);
        (folder, sheet) = (output, Path.Combine(output, SheetName));
        animation = kind is ExperimentKind.Interpolate or ExperimentKind.TextDiff ? Path.Combine(output, AnimationName) : null;
    }

    /// <summary>The verb of a kind.</summary>
    public static string Name(ExperimentKind kind) => kind == ExperimentKind.PcaReconstruct ? "pca-reconstruct" : kind.ToString().ToLowerInvariant();

    /// <summary>Writes everything that was asked for.</summary>
    public SavedExperiment Save(string model, ExperimentResult result)
    {
        result.Sheet().SavePng(sheet, Recipe.Of(model, result, picture: null));
        if (animation is not null)
            File.WriteAllBytes(animation, AnimatedPng.Encode([.. result.Pictures.Select(picture => picture.Image)], MillisecondsPerPicture, Recipe.Of(model, result, picture: 0)));
        return new SavedExperiment(sheet, animation, folder is null ? [] : Pictures(folder, model, result));
    }

    /// <summary>Writes the numbers of every picture, and the pictures.</summary>
    public static void Trace(string folder, string model, ExperimentResult result)
    {
        Directory.CreateDirectory(folder);
        var paths = Pictures(folder, model, result);
        new GenerationTrace(folder).Finish(new
        {
            model, result.Experiment, pictures = result.Pictures.Select((picture, i) => new { file = Path.GetFileName(paths[i]), picture.Label, picture.Numbers }),
        });
    }

    private static string[] Pictures(string folder, string model, ExperimentResult result) => [.. result.Pictures.Select((picture, i) =>
    {
        var path = Path.Combine(folder, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");
        picture.Image.SavePng(path, Recipe.Of(model, result, i));
        return path;
    })];
}
