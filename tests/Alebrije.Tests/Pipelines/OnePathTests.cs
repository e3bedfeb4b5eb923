using System.Text.RegularExpressions;

namespace Alebrije.Tests.Pipelines;

/// <summary>Users, experiments, evaluations and fixtures sample through one method, so that a golden covers a user's result.</summary>
public sealed partial class OnePathTests
{
    [Theory]
    [InlineData(@"\bdecoder\.Draw\(|\bDecoder\.Draw\(", "Pipelines/ImagePipeline.cs")]
    [InlineData(@"\bdecoder\.Invert\(|\bDecoder\.Invert\(", "Pipelines/ImagePipeline.cs")]
    [InlineData(@"\bnew ImageDecoder\(", "Pipelines/PipelineFamilies.cs")]
    [InlineData(@"\bfamily\.Bind\(", "Pipelines/Denoising/ImageDecoder.cs")]
    [InlineData(@"\[""format""\] = ""pt""", "Published/ComponentCatalog.cs")]
    [InlineData(@"= new\(path => new UNet2DConditionModel\(", "Published/ComponentCatalog.cs")]
    public void EachJob_IsDoneInOneFile(string call, string only)
    {
        var source = Path.Combine(Repository.Root, "src", "Alebrije");
        var files = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => Regex.IsMatch(File.ReadAllText(file), call)).Select(file => Path.GetRelativePath(source, file).Replace('\\', '/'));
        Assert.Equal([only], files);
    }

    [Fact]
    public void Fixtures_OfPipelines_RunTheUsersPath()
    {
        var table = File.ReadAllText(Path.Combine(Repository.Root, "src", "Alebrije", "Verification", "FixtureRunner.cs"));
        var runners = PipelineRow().Matches(table).Select(row => row.Groups["runner"].Value).ToArray();
        Assert.True(runners.Length >= 20, $"The table has {runners.Length} rows of pipelines.");
        Assert.All(runners, runner => Assert.StartsWith("PipelineRunner.", runner, StringComparison.Ordinal));
    }

    [GeneratedRegex("""\("diffusers", "\w+Pipeline", "\w+"\)\] = (?<runner>[\w.]+)""")]
    private static partial Regex PipelineRow();
}
