using Alebrije.Datasets;

namespace Alebrije.Search;

/// <summary>Progress of an update: files that were new or changed, done and in all.</summary>
/// <param name="Done">Files that are finished.</param>
/// <param name="Total">Files to be read.</param>
public readonly record struct IndexProgress(int Done, int Total);

/// <summary>Result of an update.</summary>
public sealed record IndexReport
{
    /// <summary>Name of the model of the embeddings.</summary>
    public required string Model { get; init; }

    /// <summary>Images of the index afterwards.</summary>
    public required int Items { get; init; }

    /// <summary>New files.</summary>
    public IReadOnlyList<string> Added { get; init; } = [];

    /// <summary>Files with another content than before.</summary>
    public IReadOnlyList<string> Changed { get; init; } = [];

    /// <summary>Files whose content was indexed under a path that is gone.</summary>
    public IReadOnlyList<MovedPicture> Moved { get; init; } = [];

    /// <summary>Files that are gone.</summary>
    public IReadOnlyList<string> Removed { get; init; } = [];

    /// <summary>Images that were embedded; files with a known content need none.</summary>
    public int Embedded { get; init; }

    /// <summary>Files and folders that cannot be read, with the reasons.</summary>
    public IReadOnlyList<SkippedPicture> Skipped { get; init; } = [];

    /// <summary>Images of kinds that are not read, such as camera raw.</summary>
    public IReadOnlyList<string> OtherKinds { get; init; } = [];

    /// <summary>Roots that do not exist now; their images are kept.</summary>
    public IReadOnlyList<string> MissingRoots { get; init; } = [];
}

/// <summary>A file under another path.</summary>
/// <param name="From">The path before.</param>
/// <param name="To">The path now.</param>
public sealed record MovedPicture(string From, string To);

/// <summary>An embedding space of an index.</summary>
/// <param name="Id">Number of the space within the index.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Dimensions">Width of an embedding.</param>
/// <param name="Weights">Fingerprint of the model's weights, 16 hexadecimal digits.</param>
/// <param name="Source">Name or path that the model was loaded by.</param>
/// <param name="Images">Images with an embedding in this space.</param>
public sealed record IndexedSpace(long Id, string Model, int Dimensions, string Weights, string Source, int Images)
{
    internal string? Preprocessing { get; init; }

    internal string File { get; init; } = "";
}

/// <summary>State of an index.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Items">Image files.</param>
/// <param name="Contents">Different contents of them.</param>
/// <param name="Bytes">Size of the index on the disk.</param>
/// <param name="Roots">Files and folders that are kept current.</param>
/// <param name="Spaces">Embedding spaces.</param>
/// <param name="Labels">Labels with the number of their images, the most frequent first.</param>
/// <param name="Skipped">Files that could not be read at the last update.</param>
public sealed record IndexStatus(string Folder, int Items, int Contents, long Bytes, IReadOnlyList<string> Roots,
    IReadOnlyList<IndexedSpace> Spaces, IReadOnlyList<KeyValuePair<string, int>> Labels, IReadOnlyList<SkippedPicture> Skipped);
