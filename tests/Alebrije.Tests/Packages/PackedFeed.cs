using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using System.Xml.Linq;

namespace Alebrije.Tests.Packages;

/// <summary>
/// The packages, packed from the build under test into a folder of their own, and commands with this folder as their only source:
/// packages of others come from the folder that the clone restored them to, ours are unpacked into a temporary one. No network.
/// </summary>
public sealed class PackedFeed : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>A folder outside the clone.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("alebrije-packages-").FullName;

    public string Feed => Path.Combine(Folder, "feed");

    public async ValueTask InitializeAsync()
    {
        if (!OperatingSystem.IsLinux()) return;
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)).Split('_')[0];
        await Dotnet(Repository.Root, "pack", "--no-build", "-c", configuration, "-o", Feed);
        await File.WriteAllTextAsync(Path.Combine(Folder, "nuget.config"), $"""
            <configuration>
              <packageSources><clear /><add key="packed" value="{Feed}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="restored" value="{Restored()}" /></fallbackPackageFolders>
            </configuration>
            """);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Version of all packages: the one of the assembly.</summary>
    public string Version { get; } = typeof(Tensors.TorchRuntime).Assembly.GetName().Version!.ToString(3);

    /// <summary>Opens a package.</summary>
    public ZipArchive Open(string id) => ZipFile.OpenRead(Path.Combine(Feed, $"{id}.{Version}.nupkg"));

    /// <summary>Description of a package.</summary>
    public XElement Nuspec(string id)
    {
        using var package = Open(id);
        using var stream = package.GetEntry(id + ".nuspec")!.Open();
        var root = XElement.Load(stream);
        foreach (var element in root.DescendantsAndSelf()) element.Name = element.Name.LocalName;
        return root.Element("metadata")!;
    }

    /// <summary>Runs dotnet and returns its output; a failure fails the test with it.</summary>
    public async Task<string> Dotnet(string folder, params string[] arguments)
    {
        var (status, output) = await Run("dotnet", folder, arguments);
        Assert.True(status == 0, $"dotnet {string.Join(' ', arguments)} ended with {status}:\n{output}");
        return output;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Exit status, and standard output before standard error.</returns>
    public async Task<(int Status, string Output)> Run(string program, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder,
            RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)
            || name == "ALEBRIJE_MODELS").ToArray())
            start.Environment.Remove(name);
        start.Environment["NUGET_PACKAGES"] = Path.Combine(Folder, "packages");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        using var process = Process.Start(start)!;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(patience.Token),
                process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, string.Join('\n', texts));
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>A folder of links to the other packages that the tests were restored with.</summary>
    private string Restored()
    {
        using var assets = JsonDocument.Parse(
            File.ReadAllText(Path.Combine(Repository.Root, "artifacts", "obj", "Alebrije.Tests", "project.assets.json")));
        var links = Directory.CreateDirectory(Path.Combine(Folder, "restored")).FullName;
        foreach (var package in assets.RootElement.GetProperty("packageFolders")
            .EnumerateObject().SelectMany(folder => Directory.EnumerateDirectories(folder.Name)))
            if (Path.GetFileName(package) is var id && !id.StartsWith("alebrije", StringComparison.Ordinal)
                && !Directory.Exists(Path.Combine(links, id)))
                Directory.CreateSymbolicLink(Path.Combine(links, id), package);
        return links;
    }
}
