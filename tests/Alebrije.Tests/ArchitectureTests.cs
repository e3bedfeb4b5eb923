using System.Text.RegularExpressions;

namespace Alebrije.Tests;

/// <summary>Allowed references between folders, read from the <c>using</c> lines, and the few rules for every file.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>Folder (of src/Alebrije, or a project) and the folders that it may reference; all others are forbidden.</summary>
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Preprocessing"] = [],
        ["Tensors"] = ["Preprocessing"],
        ["Weights"] = ["Tensors", "Preprocessing"],
        ["Nn"] = ["Tensors"],
        ["Diffusion"] = ["Weights", "Tensors"],
        ["Models"] = ["Nn", "Weights", "Tensors"],
        ["Published"] = ["Models", "Nn", "Weights", "Tensors"],
        ["Catalog"] = ["Weights", "Preprocessing"],
        ["Datasets"] = ["Preprocessing"],
        ["Pipelines"] = ["Published", "Models", "Nn", "Diffusion", "Weights", "Tensors", "Preprocessing"],
        ["Embeddings"] = ["Pipelines", "Models", "Weights", "Tensors", "Preprocessing"],
        ["Reports"] = ["Embeddings", "Pipelines", "Models", "Weights", "Tensors", "Preprocessing"],
        ["Robustness"] = ["Reports", "Embeddings", "Datasets", "Pipelines", "Preprocessing"],
        ["Evaluation"] = ["Reports", "Robustness", "Embeddings", "Pipelines",
            "Datasets", "Models", "Diffusion", "Weights", "Tensors", "Preprocessing"],
        ["Training"] = ["Published", "Evaluation", "Reports", "Robustness",
            "Embeddings", "Pipelines", "Datasets", "Models", "Nn", "Diffusion", "Weights", "Tensors", "Preprocessing"],
        ["Verification"] = ["Published", "Training", "Pipelines", "Models", "Nn", "Diffusion", "Weights", "Tensors", "Preprocessing"],
        ["Search"] = ["Pipelines", "Reports", "Embeddings", "Datasets", "Weights", "Preprocessing"],
        ["Search.PostgreSql"] = ["Search"],
        ["Extensions.AI"] = ["Pipelines", "Catalog", "Weights", "Tensors", "Preprocessing"],
        ["Cluster"] = ["Search", "Embeddings", "Pipelines", "Datasets", "Preprocessing"],
        ["Server"] = ["Extensions.AI", "Search", "Reports", "Embeddings", "Datasets", "Pipelines", "Catalog", "Weights", "Tensors",
            "Preprocessing"],
        ["Cli"] = ["Server", "Cluster", "Pipelines", "Reports", "Robustness", "Embeddings",
            "Catalog", "Training", "Datasets", "Evaluation", "Verification", "Search", "Preprocessing", "Tensors"],
    };

    private static IEnumerable<string> Sources => Files("src");

    [Fact]
    public void Folders_NameOnlyThoseBelowThem()
    {
        var (wrong, seen) = (new List<string>(), 0);
        foreach (var file in Sources)
        {
            var from = AreaOf(file);
            if (from is null) continue;
            Assert.True(Arrows.ContainsKey(from),
                $"{Name(file)}: the folder {from} has no row in {nameof(Arrows)}; say whom it may reference.");
            foreach (var to in Named(file).Where(to => to != from))
            {
                seen++;
                if (!Arrows[from].Contains(to)) wrong.Add($"{Name(file)}: {from} may not reference {to}");
            }
        }

        Assert.True(seen > 100, $"only {seen} references were seen");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Distinct()));
    }

    [Fact]
    public void Command_WritesThroughItsTerminalAlone()
    {
        var files = Sources.Where(file => AreaOf(file) == "Cli"
            && Path.GetFileName(file) is not ("Terminal.cs" or "LocalHelp.cs")).ToArray();
        Assert.True(files.Length > 40);
        string[] writers = ["Console.Write", "Console.Error.", "Console.Out.", "error.Write", "output.Write"];
        Assert.Empty(files.Where(file => writers.Any(writer => Code(file).Contains(writer, StringComparison.Ordinal))).Select(Name));
    }

    [Fact]
    public void Files_AreReadAsRegularOnesAlone()
    {
        // Files of this process's own: the native library, results that it wrote, what /proc holds, vectors (checked before they
        // are opened), and texts named on the command line, which may come from a pipe.
        string[] own = ["RegularFile.cs", "TarFiles.cs", "FreeMemory.cs", "TorchRuntime.cs", "ModelHub.cs", "TrainingRun.cs",
            "ModelPacker.cs", "Diagnosis.cs", "TextLines.cs", "Templates.cs", "UnfinishedFile.cs",
            "VectorFile.cs"];
        string[] readers = ["File.OpenRead(", " File.ReadAll", "(File.ReadAll", " File.ReadLines(", "(File.ReadLines(", "FileMode.Open,"];
        Assert.Empty(Sources.Where(file => !own.Contains(Path.GetFileName(file))
            && readers.Any(reader => Code(file).Contains(reader, StringComparison.Ordinal))).Select(Name));
    }

    [Fact]
    public void Json_FromOutsideIsParsedWithItsTexts()
    {
        // Resources, fixtures and JSON that this program wrote itself.
        string[] own = ["JsonText.cs", "SingleFileSchedules.cs", "PublishedModels.cs", "ZeroShotSet.cs", "TextVerifier.cs",
            "VerifyCommand.cs", "ApiDocument.cs"];
        Assert.Empty(Sources.Where(file => !own.Contains(Path.GetFileName(file))
            && (Code(file).Contains("JsonDocument.Parse(", StringComparison.Ordinal)
                || Code(file).Contains("JsonDocument.ParseAsync(", StringComparison.Ordinal)
                || Code(file).Contains("JsonNode.Parse(", StringComparison.Ordinal))).Select(Name));
    }

    [Fact]
    public void ModelFolders_KnowNoSiblings()
    {
        var wrong = Sources.Where(file => AreaOf(file) == "Models")
            .SelectMany(file => ModelFolder().Matches(Code(file)).Select(m => m.Groups[1].Value)
                .Where(other => Path.GetFileName(Path.GetDirectoryName(file)) != other)
                .Select(other => $"{Name(file)} references Models/{other}"))
            .ToArray();
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Training_StepsAnOptimizerInItsLoopAlone()
    {
        var files = Sources.Where(file => AreaOf(file) == "Training").ToArray();
        Assert.True(files.Length > 30);
        var steps = files.Where(file => OptimizerStep().IsMatch(Code(file))
            || Code(file).Contains(".backward()", StringComparison.Ordinal));
        Assert.Equal(["TrainingLoop.cs"], steps.Select(Path.GetFileName));
    }

    [Fact]
    public void Preprocessing_KnowsNoTensors()
    {
        var files = Files(Path.Combine("src", "Alebrije.Preprocessing")).ToArray();
        Assert.True(files.Length > 10);
        Assert.All(files, file => Assert.DoesNotContain("TorchSharp", Code(file), StringComparison.Ordinal));
        Assert.DoesNotContain(
            typeof(Preprocessing.Imaging.RgbImage).Assembly.GetReferencedAssemblies(),
            name => name.Name!.Contains("TorchSharp", StringComparison.Ordinal));
    }

    [Fact]
    public void Files_AreOfReadableLength() => Assert.All(Sources.Concat(Files("tests")), file =>
        Assert.True(File.ReadLines(file).Count() <= 450, $"{Name(file)} has more than 450 lines: split it by idea"));

    [Fact]
    public void Files_HoldNoPathsOfAMachineAndNoHiddenWork() => Assert.All(Sources.Concat(Files("tests")), file =>
    {
        var text = File.ReadAllText(file);
        Assert.False(MachinePath().IsMatch(text), $"{Name(file)} holds the path {MachinePath().Match(text).Value}");
        Assert.False(Hidden().IsMatch(text), $"{Name(file)} holds {Hidden().Match(text).Value}");
    });

    [Fact]
    public void Networks_AreInternal() => Assert.All(
        typeof(Tensors.TorchRuntime).Assembly.GetExportedTypes(),
        type => Assert.False(type.IsAssignableTo(typeof(TorchSharp.torch.nn.Module)), $"{type} is public"));

    private static string? AreaOf(string file)
    {
        var parts = Name(file).Split('/');
        return parts[1] == "Alebrije" ? parts.Length > 3 ? parts[2] : null : parts[1]["Alebrije.".Length..];
    }

    /// <summary>Folders that a file's code references: in using lines, or qualified.</summary>
    private static IEnumerable<string> Named(string file) =>
        UsingLine().Matches(Code(file)).Select(m => m.Groups[1].Value)
            .Concat(Qualified().Matches(Code(file)).Select(m => m.Groups[1].Value)).Where(Arrows.ContainsKey).Distinct();

    /// <summary>The file without comments and string literals.</summary>
    private static string Code(string file) => CommentOrText().Replace(File.ReadAllText(file), "");

    private static string Name(string file) => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/');

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories)
        .Where(file => !Name(file).Split('/').Any(part => part is "obj" or "bin"));

    [GeneratedRegex(@"\boptimizer\w*\.Step\(", RegexOptions.IgnoreCase)]
    private static partial Regex OptimizerStep();

    [GeneratedRegex(@"^\s*(?:global )?using (?:static )?(?:\w+ = )?Alebrije\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"(?<![\w.])(?:Alebrije\.)?(Nn|Diffusion|Models|Weights|Pipelines|Training|Datasets|Embeddings|"
        + @"Reports|Robustness|Evaluation|Verification|Catalog)\.[A-Z]")]
    private static partial Regex Qualified();

    [GeneratedRegex(@"\bModels\.(\w+)\b(?<!^namespace .*)", RegexOptions.Multiline)]
    private static partial Regex ModelFolder();

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|"{3,}.*?"{3,}|@"(?:[^"]|"")*"|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'""",
        RegexOptions.Singleline)]
    private static partial Regex CommentOrText();

    // Written in parts, so that this file does not match itself.
    [GeneratedRegex("/(?:ho" + @"me|root|wo" + @"rk|Us" + @"ers|mnt)/\w|[A-Z]:\\\\?Us" + "ers")]
    private static partial Regex MachinePath();

    [GeneratedRegex("#prag" + "ma|#reg" + @"ion|\bTO" + @"DO\b|\bFIX" + @"ME\b|\bHA" + @"CK\b")]
    private static partial Regex Hidden();

    [Fact]
    public void Page_NamesEveryRoom_AndFilesThatAreThere()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"));
        var rooms = System.Text.RegularExpressions.Regex.Matches(page, @"(?m)^\| `(\w+)` \|")
            .Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal);
        var folders = Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src", "Alebrije"))
            .Select(path => Path.GetFileName(path)!).Where(name => name is not ("bin" or "obj"));
        Assert.Equal(folders.Order(StringComparer.Ordinal), rooms);
        var files = System.Text.RegularExpressions.Regex.Matches(page, @"`(src/[\w/.]+\.cs)`")
            .Select(match => match.Groups[1].Value).ToArray();
        Assert.True(files.Length >= 12);
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(Repository.Root, file)), file));
    }
}
