using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Packages;

/// <summary>The packages in use: in an empty folder, with the packages as a source.</summary>
public sealed partial class PackagesTests(PackedFeed feed) : IClassFixture<PackedFeed>
{
    private const string Tool = "Alebrije.Cli.linux-x64", ToolFolder = "tools/net10.0/linux-x64/";

    /// <summary>Largest package that the public gallery accepts.</summary>
    private const long LargestPackage = 250L << 20;

    private static readonly string[] Libtorch = ["libLibTorchSharp.so",
        "libSkiaSharp.so", "libc10.so", "libgomp-98b21ff3.so.1", "libtorch.so", "libtorch_cpu.so"];

    [Theory]
    [InlineData("Alebrije",
        "Alebrije.Preprocessing Parquet.Net SkiaSharp Sylvan.Data.Csv "
            + "System.IO.Hashing System.Numerics.Tensors TorchSharp libtorch-cpu-linux-x64")]
    [InlineData("Alebrije.Preprocessing", "SkiaSharp SkiaSharp.NativeAssets.Linux.NoDependencies System.IO.Hashing")]
    [InlineData("Alebrije.Extensions.AI",
        "Alebrije Microsoft.Extensions.AI.Abstractions Microsoft.Extensions.DependencyInjection.Abstractions "
            + "Microsoft.Extensions.Options Microsoft.ML.Tokenizers")]
    [InlineData("Alebrije.Models.Mini", "")]
    [InlineData("Alebrije.Models.MiniCascade", "")]
    [InlineData("Alebrije.Models.MiniFlamingo", "")]
    [InlineData("Alebrije.Cli", "")]
    [InlineData(Tool, "")]
    public void Package_DescribesItself(string id, string dependencies)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Packages are packed on Linux.");
        var nuspec = feed.Nuspec(id);
        Assert.Equal(feed.Version, nuspec.Element("version")!.Value);
        Assert.Equal("MIT", nuspec.Element("license")!.Value);
        Assert.Null(nuspec.Element("repository")?.Attribute("url"));
        Assert.All(["description", "tags", "authors"], name => Assert.NotEqual("", nuspec.Element(name)!.Value));
        Assert.Equal(dependencies,
            string.Join(' ', nuspec.Descendants("dependency").Select(one => one.Attribute("id")!.Value).Order(StringComparer.Ordinal)));
        using var package = feed.Open(id);
        using var readme = new StreamReader(package.GetEntry(nuspec.Element("readme")!.Value)!.Open());
        Assert.Contains("```csharp", readme.ReadToEnd(), StringComparison.Ordinal);
        Assert.NotNull(package.GetEntry("NOTICE"));
        Assert.InRange(new FileInfo(Path.Combine(feed.Feed, $"{id}.{feed.Version}.nupkg")).Length, 1, LargestPackage);
        if (package.GetEntry($"lib/net10.0/{id}.dll") is null) return;
        Assert.NotNull(package.GetEntry($"lib/net10.0/{id}.xml"));
        Assert.True(File.Exists(Path.Combine(feed.Feed, $"{id}.{feed.Version}.snupkg")));
    }

    [Fact]
    public void ToolPackage_HoldsTheNativeFilesThatAreLoaded_AndTheModel()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Packages are packed on Linux.");
        using var package = feed.Open(Tool);
        var files = package.Entries.Select(entry => entry.FullName).Where(name => name.StartsWith(ToolFolder, StringComparison.Ordinal))
            .Select(name => name[ToolFolder.Length..]).ToArray();
        // Garnet's store, SQLite and USearch besides.
        string[] stores = ["libbftree_garnet.so", "libdiskann_garnet.so", "libe_sqlite3.so",
            "liblua54.so", "libnative_device.so", "libnative_device_libaio.so", "libnumkong.so",
            "libusearch_c.so"];
        Assert.Equal(Libtorch.Concat(stores).Order(StringComparer.Ordinal),
            files.Where(name => name.Contains(".so", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(files, name => name is "Google.Protobuf.dll" or "ICSharpCode.SharpZipLib.dll" or "Alebrije.xml");
        Assert.Equal(Model(Path.Combine(Repository.Root, "models", "mini")),
            files.Where(name => name.StartsWith("models/mini/", StringComparison.Ordinal))
            .Select(name => name["models/mini/".Length..]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Program_OfTwoReferences_DrawsThePictureOfTheReadme_AsTheToolDoes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Packages are packed on Linux.");
        var folder = Program("program", Example(), $"""
            <PackageReference Include="Alebrije" Version="{feed.Version}" />
            <PackageReference Include="Alebrije.Models.Mini" Version="{feed.Version}" />
            """);
        await feed.Dotnet(folder, "publish", "-c", "Debug", "-o", "published");
        foreach (var output in new[] { Path.Combine(folder, "bin", "Debug", "net10.0"), Path.Combine(folder, "published") })
        {
            AssertHoldsArguments(Path.Combine(output, "TorchSharp.dll"));
            Assert.Equal(Libtorch, Directory.EnumerateFiles(Path.Combine(output, "runtimes", "linux-x64", "native"))
                .Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.Equal(["linux-x64", "osx", "osx-arm64", "win-arm64", "win-x64"],
                Directory.EnumerateDirectories(Path.Combine(output, "runtimes")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.Empty(Directory.EnumerateFiles(output, "libSkiaSharp.pdb", SearchOption.AllDirectories));
            Assert.Equal(Model(Path.Combine(Repository.Root, "models", "mini")), Model(Path.Combine(output, "models", "mini")));
        }

        var drawn = await feed.Run(Path.Combine(folder, "published", "program"), folder);
        Assert.True(drawn.Status == 0, drawn.Output);
        var picture = RgbImage.Load(Path.Combine(folder, "lion.png"));
        Assert.Equal((128, 128), (picture.Width, picture.Height));

        var tools = Path.Combine(feed.Folder, "tools");
        await feed.Dotnet(feed.Folder, "tool", "install", "Alebrije.Cli",
            "--tool-path", tools, "--configfile", Path.Combine(feed.Folder, "nuget.config"));
        AssertHoldsArguments(Assert.Single(Directory.EnumerateFiles(tools, "TorchSharp.dll", SearchOption.AllDirectories)));
        var again = await feed.Run(Path.Combine(tools, "alebrije"), feed.Folder,
            "imagine", Prompt().Match(Example()).Groups[1].Value, "--seed", "7", "--out", "again.png");
        Assert.True(again.Status == 0, again.Output);
        Assert.Equal(picture.Pixels, RgbImage.Load(Path.Combine(feed.Folder, "again.png")).Pixels);
    }

    [Fact]
    public async Task Program_WithoutNativePackages_IsToldWhichItLacks()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Packages are packed on Linux.");
        const string code = """
            foreach (Action start in new Action[] { () => Alebrije.Preprocessing.Imaging.RgbImage.Load("picture.jpg"), () => Alebrije.Tensors.TorchRuntime.Initialize() })
                try { start(); }
                catch (Exception e) { Console.WriteLine(e.Message); }
            """;
        var folder = Program("bare", code, $"""
            <PackageReference Include="Alebrije.Extensions.AI" Version="{feed.Version}" />
            <PackageReference Include="libtorch-cpu-linux-x64" Version="{Tensors.TorchRuntime.LibtorchVersion}" ExcludeAssets="all" />
            <PackageReference Include="SkiaSharp.NativeAssets.Linux.NoDependencies" Version="3.119.4" ExcludeAssets="all" />
            """);
        File.Copy(Path.Combine(Repository.Root, "tests", "Alebrije.Tests", "Fixtures", "pixels-clip", "pictures", "jpeg-0-RGB-64x48.jpg"),
            Path.Combine(folder, "picture.jpg"));
        var built = await feed.Dotnet(folder, "build");
        Assert.Contains("warning ALEBRIJE001: This program has no libtorch "
            + "for linux-x64: add the package libtorch-cpu-linux-x64 2.10.0 to its project", built, StringComparison.Ordinal);
        var output = Path.Combine(folder, "bin", "Debug", "net10.0");
        AssertHoldsArguments(Path.Combine(output, "TorchSharp.dll"));

        var ran = await feed.Run(Path.Combine(output, "bare"), folder);
        var lines = ran.Output.Trim().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Equal("SkiaSharp's native library, which reads JPEG and WebP and writes letters, cannot be loaded: "
            + "add the package SkiaSharp.NativeAssets.Linux.NoDependencies to the program's project, in the version of SkiaSharp.",
            lines[0]);
        Assert.Equal($"libtorch is not among the program's files ({output}/): "
            + $"add the package libtorch-cpu-linux-x64 2.10.0 to the program's project "
            + "(dotnet add package libtorch-cpu-linux-x64 --version 2.10.0).", lines[1]);
    }

    private string Program(string name, string code, string references)
    {
        var folder = Directory.CreateDirectory(Path.Combine(feed.Folder, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "Program.cs"), code);
        File.WriteAllText(Path.Combine(folder, name + ".csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
              </PropertyGroup>
              <ItemGroup>
                {references}
              </ItemGroup>
            </Project>
            """);
        return folder;
    }

    /// <summary>The C# of the README.</summary>
    private static string Example()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        return readme.Split("## In C#")[1].Split("```csharp")[1].Split("```")[0].Trim();
    }

    private static string[] Model(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    /// <summary>Asserts that every method of the assembly with a body is marked as not to be optimised.</summary>
    private static void AssertHoldsArguments(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        var methods = metadata.MethodDefinitions.Select(metadata.GetMethodDefinition)
            .Where(method => method.RelativeVirtualAddress != 0).ToArray();
        Assert.True(methods.Length > 500);
        Assert.All(methods, method => Assert.True(method.ImplAttributes.HasFlag(MethodImplAttributes.NoOptimization),
            $"{metadata.GetString(method.Name)} in {assembly} may be optimised"));
    }

    [GeneratedRegex("Prompt = \"([^\"]+)\"")]
    private static partial Regex Prompt();
}
