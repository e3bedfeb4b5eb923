using Alebrije.Tensors;

namespace Alebrije.Tests.Runtime;

/// <summary>Files for native libraries that are not on the disk.</summary>
public sealed class MemoryFileTests
{
    [Fact]
    public void File_IsReadByItsPath_AndLiesInNoFolder()
    {
        byte[] bytes = [.. Enumerable.Range(0, 5000).Select(i => (byte)i)];
        string path;
        using (var file = new MemoryFile(bytes))
        {
            path = file.Path;
            Assert.Equal(bytes, File.ReadAllBytes(path));
            if (OperatingSystem.IsLinux()) Assert.StartsWith("/memfd:", File.ResolveLinkTarget(path, returnFinalTarget: false)!.FullName,
                StringComparison.Ordinal);
        }

        if (!OperatingSystem.IsLinux()) Assert.False(File.Exists(path));
    }
}
