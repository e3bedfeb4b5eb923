namespace Alebrije.Search.VectorData.Tests;

/// <summary>A folder of one test.</summary>
public abstract class TemporaryFolder : IDisposable
{
    internal string Root { get; } = Directory.CreateTempSubdirectory("alebrije-vectors-").FullName;

    public void Dispose()
    {
        Dispose(true);
        Directory.Delete(Root, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}
