namespace Alebrije.Catalog;

/// <summary>Options of a fetch.</summary>
public sealed record PullOptions
{
    /// <summary>Branch, tag or commit; null is <c>main</c>.</summary>
    public string? Revision { get; init; }

    /// <summary><c>fp16</c>, or null: full precision.</summary>
    public string? Variant { get; init; }

    /// <summary>True if the hub is queried even for a revision on the disk.</summary>
    public bool Refresh { get; init; }
}

/// <summary>A file that a model needs.</summary>
/// <param name="Path">Its name in the repository.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Present">Bytes of it that are on the disk.</param>
public sealed record PlannedFile(string Path, long Bytes, long Present)
{
    internal HubFile? Source { get; init; }
}

/// <summary>A repository's part of a plan.</summary>
/// <param name="Repository"><c>owner/name</c>.</param>
/// <param name="Revision">The requested revision.</param>
/// <param name="Commit">The commit that it resolves to.</param>
/// <param name="Folder">Present or future folder of its files.</param>
/// <param name="Files">The files that are needed.</param>
public sealed record PlannedRepository(string Repository, string Revision, string Commit, string Folder, IReadOnlyList<PlannedFile> Files)
{
    /// <summary>Licence named by its model card; null if there is none, or if the hub was not queried.</summary>
    public string? Licence { get; init; }

    /// <summary>Address of the licence's text, or null.</summary>
    public string? LicencePage { get; init; }

    /// <summary>True if the licence has to be accepted at the hub first.</summary>
    public bool Gated { get; init; }

    /// <summary>Warnings about the files selected.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The checkpoint in one file that was named alone, or null.</summary>
    internal string? Single { get; init; }
}

/// <summary>Plan of fetching a model, before anything is fetched.</summary>
/// <param name="Name">Value of <c>--model</c> afterwards.</param>
/// <param name="Repositories">Its repositories; the first is what is opened.</param>
/// <param name="FreeBytes">Bytes that are free where they are kept.</param>
public sealed record PullPlan(string Name, IReadOnlyList<PlannedRepository> Repositories, long FreeBytes)
{
    /// <summary>Size of all files.</summary>
    public long Bytes => Repositories.Sum(repository => repository.Files.Sum(file => file.Bytes));

    /// <summary>Bytes that are not on the disk yet.</summary>
    public long BytesToFetch => Repositories.Sum(repository => repository.Files.Sum(file => file.Bytes - file.Present));

    /// <summary>The folder, or the checkpoint in one file, that is opened.</summary>
    public string Folder => Repositories[0] is { Single: { } file } only ? Path.Combine(only.Folder, file) : Repositories[0].Folder;
}

/// <summary>Progress of a fetch.</summary>
/// <param name="File">The file that comes just now.</param>
/// <param name="Present">Bytes of the whole model that are on the disk.</param>
/// <param name="Total">Bytes of the whole model.</param>
/// <param name="BytesPerSecond">Speed since it began.</param>
/// <param name="IsWhole">True if the file has just been completed.</param>
public sealed record PullProgress(string File, long Present, long Total, double BytesPerSecond, bool IsWhole)
{
    /// <summary>The file's repository, <c>owner/name</c>.</summary>
    public string Repository { get; init; } = "";

    /// <summary>Why it waits before a further try, or null.</summary>
    public string? Note { get; init; }
}
