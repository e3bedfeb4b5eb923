namespace Alebrije.Datasets;

/// <summary>An image of a known class.</summary>
/// <param name="Path">The file.</param>
/// <param name="Class">Index into <see cref="LabelledPictures.Labels"/>.</param>
public sealed record LabelledPicture(string Path, int Class);

/// <summary>Images in folders that are named after their content.</summary>
/// <param name="Labels">The classes: names of the folders, in alphabetical order.</param>
/// <param name="Pictures">By class, then by name.</param>
public sealed record LabelledPictures(IReadOnlyList<string> Labels, IReadOnlyList<LabelledPicture> Pictures)
{
    /// <summary>Share of each class that is kept for the test, and the same share for validation.</summary>
    private const double Share = 0.15;

    /// <summary>Reads a folder of folders.</summary>
    /// <param name="folder">Its folders are the classes; images may lie deeper in them.</param>
    /// <param name="labels">Classes that these images have to belong to, in this order; null takes the folders'.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">Fewer than two classes with images, or a class outside <paramref name="labels"/>.</exception>
    public static LabelledPictures Read(string folder, IReadOnlyList<string>? labels = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no folder {folder}.");
        var found = VisibleFolder.Open(folder).Folders.Select(shown => (shown.Name, Files: shown.PicturesBelow(cancellation: cancellation)))
            .Where(one => one.Files.Count > 0).ToArray();
        if (labels is null && found.Length < 2)
            throw new InvalidDataException($"{folder} has {found.Length} "
                + $"folders with images; a classifier needs two or more, each named after what its images show.");
        var names = labels ?? [.. found.Select(one => one.Name)];
        var places = names.Index().ToDictionary(one => one.Item, one => one.Index, StringComparer.Ordinal);
        if (found.FirstOrDefault(one => !places.ContainsKey(one.Name)).Name is { } unknown)
            throw new InvalidDataException($"{folder} has images of '{unknown}', "
                + $"which is none of the {names.Count} classes: {string.Join(", ", names.Take(8))}{(names.Count > 8 ? ", ..." : "")}.");
        if (found.Length == 0) throw new InvalidDataException($"{folder} has no folders with images.");
        return new LabelledPictures(names,
            [.. found.SelectMany(one => one.Files.Select(file => new LabelledPicture(file, places[one.Name])))]);
    }

    /// <summary>
    /// Three disjoint parts: of each class 15 % for test and 15 % for validation, at least one each if there are three, chosen by a
    /// hash of the class and the file's name alone.
    /// </summary>
    public (IReadOnlyList<LabelledPicture> Train, IReadOnlyList<LabelledPicture> Validation, IReadOnlyList<LabelledPicture> Test) Split()
    {
        var (train, validation, test) = (new List<LabelledPicture>(), new List<LabelledPicture>(), new List<LabelledPicture>());
        foreach (var group in Pictures.GroupBy(picture => picture.Class))
        {
            var ordered = group.OrderBy(picture => StableHash.Of($"{Labels[picture.Class]}/{System.IO.Path.GetFileName(picture.Path)}"))
                .ThenBy(picture => picture.Path, StringComparer.Ordinal).ToArray();
            var part = ordered.Length < 3 ? 0 : Math.Max(1, (int)Math.Round(Share * ordered.Length));
            test.AddRange(ordered[..part]);
            validation.AddRange(ordered[part..(2 * part)]);
            train.AddRange(ordered[(2 * part)..]);
        }

        return (train, validation, test);
    }

    /// <summary>A folder's name as words: underscores become spaces.</summary>
    public static string Word(string label)
    {
        ArgumentNullException.ThrowIfNull(label);
        return label.Replace('_', ' ');
    }
}
