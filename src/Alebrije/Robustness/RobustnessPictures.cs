using System.Text;
using Alebrije.Datasets;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Robustness;

/// <summary>Training and test images of a study.</summary>
/// <param name="Labels">Names of the classes.</param>
/// <param name="Training">Plain images that a probe or a baseline may learn from.</param>
/// <param name="Test">Images that nothing is fitted on.</param>
public sealed record RobustnessPictures(IReadOnlyList<string> Labels,
    IReadOnlyList<StudyPicture> Training, IReadOnlyList<StudyPicture> Test)
{
    private const int WorldSide = 128;

    /// <summary>Pairs of class and style that the default model's training left out; null if nothing is known.</summary>
    public Func<int, SceneStyle, bool>? IsHeldOut { get; init; }

    /// <summary>Concepts that are taken where none are named: things of many kinds, some of them alike.</summary>
    public static IReadOnlyList<string> UsualConcepts { get; } =
    [
        "banana", "lemon", "strawberry", "pizza", "lion", "cat", "dog",
            "elephant", "penguin", "fish", "bus", "bicycle", "airplane", "guitar", "cactus", "house",
    ];

    /// <summary>
    /// Draws plain images of single things on any background; training ones from the world's training split, test ones held out.
    /// </summary>
    /// <param name="world">The world.</param>
    /// <param name="concepts">At least two.</param>
    /// <param name="training">Training images of each concept, at least 1.</param>
    /// <param name="test">Test images of each concept, at least 1.</param>
    /// <param name="seed">Seed of the scenes.</param>
    /// <param name="language">Language of the labels, which carry articles as in captions: "a banana".</param>
    /// <param name="side">Side of the images, 128 to 512.</param>
    /// <exception cref="ArgumentException">Too few concepts or images.</exception>
    public static RobustnessPictures FromWorld(
        EmojiWorld world, IReadOnlyList<Concept> concepts, int training,
        int test, ulong seed = 0, Language language = Language.English, int side = WorldSide)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(concepts);
        if (concepts.Count < 2 || training < 1 || test < 1)
            throw new ArgumentException($"A study needs two concepts and "
                + $"an image of each for training and for the test; got {concepts.Count} concepts, {training} and {test} images.");
        return new RobustnessPictures([.. concepts.Select(concept => concept.Label(language))],
            Draw(SceneSplit.Train, training), Draw(SceneSplit.HeldOut, test))
        {
            IsHeldOut = (concept, style) => HeldOut.Styled(concepts[concept], style),
        };

        StudyPicture[] Draw(SceneSplit split, int count)
        {
            var options = concepts.Select(concept =>
                SceneOptions.SingleObjects with { Split = split, StyleShare = 0, SizeShare = 0, Concepts = [concept] }).ToArray();
            var pictures = new StudyPicture[concepts.Count * count];
            Parallel.For(0, pictures.Length, i => pictures[i] = new StudyPicture(
                new RgbImage(side, side, world.Render(world.Scene(seed, i, options[i % options.Length]), side)), i % options.Length));
            return pictures;
        }
    }

    /// <summary>Reads a folder whose subfolders name the classes. Files are split in halves by a hash of their names.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="labels">Subfolders to take, in this order; null takes all by name.</param>
    /// <param name="side">Images are cropped to squares of this side.</param>
    /// <param name="progress">Called with the numbers read and in total.</param>
    /// <param name="reader">Leaves out images that cannot be read; null turns images by their EXIF orientation and throws.</param>
    /// <param name="cancellation">Stops between two images.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">Fewer than two classes, a label without a folder, or a class with fewer than two
    /// images.</exception>
    /// <exception cref="ImageFormatException">A file is not an image, or it is damaged, cut short or too large.</exception>
    public static RobustnessPictures FromFolder(string folder, IReadOnlyList<string>? labels = null,
        int side = 224, Action<int, int>? progress = null, PictureReader? reader = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no folder {folder}.");
        var folders = VisibleFolder.Open(folder)
            .Folders.Select(shown => (shown.Name, shown.Path, Files: shown.PicturesBelow(cancellation: cancellation)))
            .Where(shown => labels is not null || shown.Files.Count > 0)
            .ToDictionary(shown => shown.Name, StringComparer.OrdinalIgnoreCase);
        var names = labels ?? [.. folders.Keys];
        if (names.FirstOrDefault(name => !folders.ContainsKey(name)) is { } missing)
            throw new InvalidDataException($"{folder} has no folder '{missing}'; "
                + $"each label names a folder with images of it, and there are: {string.Join(", ", folders.Keys)}.");
        if (names.Count < 2) throw new InvalidDataException(
            $"{folder} has {names.Count} classes, and at least two are needed: put the images into folders named after what they show.");
        var files = names.Select(name => folders[name].Files
            .OrderBy(file => Hash(Path.GetRelativePath(folder, file))).ThenBy(file => file, StringComparer.Ordinal).ToArray()).ToArray();
        if (files.Index().FirstOrDefault(of => of.Item.Length < 2) is { Item: { } few, Index: var which })
            throw new InvalidDataException($"The folder {folders[names[which]].Path} "
                + $"has {few.Length} images, and at least two are needed: one for training and one for the test.");
        var (training, test, read, total) = (new List<StudyPicture>(), new List<StudyPicture>(), 0, files.Sum(of => of.Length));
        for (var k = 0; k < files.Length; k++)
            for (var i = 0; i < files[k].Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (Picture(files[k][i]) is { } image)
                    (i < files[k].Length / 2 ? training : test).Add(new StudyPicture(Square(image.ToRgb(), side), k));
                progress?.Invoke(++read, total);
            }

        if (Enumerable.Range(0, names.Count).FirstOrDefault(k => !training.Exists(picture => picture.Class == k)
            || !test.Exists(picture => picture.Class == k), -1) is >= 0 and var poor)
            throw new InvalidDataException($"The folder {folders[names[poor]].Path} "
                + $"has too few readable images; at least one for training and one for the test are needed.");
        return new RobustnessPictures(names, training, test);

        PillowImage? Picture(string file) => reader is null ? PillowImage.Load(file).Upright() : reader.Read(file);
    }

    /// <summary>The middle of an image as a square.</summary>
    internal static RgbImage Square(RgbImage image, int side)
    {
        var shorter = Math.Min(image.Width, image.Height);
        if (image.Width == image.Height && shorter == side) return image;
        var cropped = image.ToPillow().Crop((image.Width - shorter) / 2, (image.Height - shorter) / 2, shorter, shorter).ToRgb();
        return shorter == side ? cropped : cropped.Resize(side, side);
    }

    /// <summary>FNV-1a, 64 bits, finished so that neighbours part.</summary>
    private static ulong Hash(string name)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var value in Encoding.UTF8.GetBytes(name.Replace('\\', '/'))) hash = unchecked((hash ^ value) * 0x100000001B3);
        return SeededRandom.Mix(hash);
    }
}
