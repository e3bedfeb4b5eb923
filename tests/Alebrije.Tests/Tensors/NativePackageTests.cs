using System.Text.Json;
using System.Xml.Linq;
using Alebrije.Tensors;

namespace Alebrije.Tests.Runtime;

/// <summary>The native package that a program needs: the error message with its name, and its version in every file.</summary>
public sealed class NativePackageTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-native-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("linux-x64",
        "add the package libtorch-cpu-linux-x64 2.10.0 to the program's "
            + "project (dotnet add package libtorch-cpu-linux-x64 --version 2.10.0).")]
    [InlineData("win-x64", "add the package libtorch-cpu-win-x64 2.10.0 to the program's project")]
    [InlineData("linux-arm64", "libtorch has no package for linux-arm64; it has one for linux-x64, win-x64, win-arm64 and osx-arm64.")]
    public void Absent_NamesThePackage(string platform, string sentence)
    {
        Assert.Contains(sentence, TorchRuntime.Absent(null, platform), StringComparison.Ordinal);
        Assert.Contains(sentence, TorchRuntime.Absent(folder, platform), StringComparison.Ordinal);
    }

    [Fact]
    public void Absent_OfWhatIsThere_SaysNothing()
    {
        TorchRuntime.Initialize();
        Assert.Null(TorchRuntime.Absent(TorchRuntime.NativeFolder, "linux-x64"));
    }

    [Fact]
    public void Version_IsTheSameEverywhere()
    {
        var packages = XElement.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .ToDictionary(one => one.Attribute("Include")!.Value, one => one.Attribute("Version")!.Value);
        Assert.All(packages.Where(one => one.Key.StartsWith("libtorch-", StringComparison.Ordinal)),
            one => Assert.Equal(TorchRuntime.LibtorchVersion, one.Value));
        Assert.Equal(TorchRuntime.LibtorchVersion, XElement.Load(Path.Combine(Repository.Root, "build", "Alebrije.targets"))
            .Descendants("AlebrijeLibtorchVersion").Single().Value);

        using var runtimes = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "src", "Alebrije", "runtime.json")));
        foreach (var platform in runtimes.RootElement.GetProperty("runtimes").EnumerateObject())
            Assert.Equal(packages["libtorch-cpu-" + platform.Name],
                platform.Value.GetProperty("Alebrije").GetProperty("libtorch-cpu-" + platform.Name).GetString());
    }
}
