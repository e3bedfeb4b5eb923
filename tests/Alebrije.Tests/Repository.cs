namespace Alebrije.Tests;

/// <summary>The sources that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Alebrije.slnx"))) return folder.FullName;
        throw new InvalidOperationException("Alebrije.slnx is in no folder above the tests: run them where they were built.");
    }
}
