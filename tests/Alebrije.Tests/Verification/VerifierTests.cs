using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Tensors;
using Alebrije.Verification;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Verification;

public sealed class VerifierTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-verify-").FullName;

    public VerifierTests() => TorchRuntime.Initialize();

    private static string Fixtures => Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private static VerificationReport Run(string path, Action<VerificationCase>? progress = null) =>
        Verifier.Run(path, progress, TestContext.Current.CancellationToken);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    public static TheoryData<string> All => new(Directory.GetDirectories(Fixtures)
        .Where(path => File.Exists(Path.Combine(path, "cases.json")))
        .Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(All))]
    public void Fixture_AsTheReferenceMadeIt_Agrees(string name)
    {
        var report = Run(Path.Combine(Fixtures, name));
        Assert.True(report.Ok, report.First);
        Assert.All(report.Cases, c => Assert.Null(c.Fixture));
    }

    [Fact]
    public void Census_OfPublishedConfigs_HasEveryNameAndShape()
    {
        var report = Run(Path.Combine(Fixtures, "census"));
        Assert.True(report.Ok, report.First);
        Assert.True(report.Cases.Count >= 20);
        var refused = report.Cases.Where(c => c.Missing is null).ToArray();
        Assert.Equal(["open_clip.coca_ViT-B-32", "open_clip.convnext_base", "open_clip.EVA02-B-16"], refused.Select(c => c.Id));
        foreach (var (c, named) in refused.Zip(["CoCa", "convnext_base", "eva02_base_patch16_clip_224"]))
            Assert.Contains(named, c.Where, StringComparison.Ordinal);
        Assert.All(report.Cases.Except(refused), c => Assert.Equal(("tensors", 0, 0, 0), (c.Output, c.Missing, c.Unexpected, c.Shapes)));
    }

    [Theory]
    [InlineData("stable-unclip-image-normalizer", "unscale", "unscaled")]
    [InlineData("clip-hf-text-projection", "masked", "penultimate")]
    [InlineData("clip-train-step", "two-steps", "grad_norm_1")]
    [InlineData("pixels-resize", "bicubic-RGB-128x96-32x24", "resized")]
    [InlineData("sd-vae-old-names", "decode-5x7", "sample")]
    public void Number_MovedBeyondItsTolerance_IsNamed(string name, string id, string output)
    {
        var copy = Copy(name);
        ChangeTensor(copy, $"{id}/{output}", values =>
        {
            var flat = values.view(-1);
            var place = flat.numel() - 1;
            if (flat.dtype == torch.ScalarType.Byte) flat[place] = (byte)(flat[place].item<byte>() ^ 1);
            else flat[place] += 0.01f + (0.01f * flat[place].abs());
        });

        var report = Run(copy);

        var failed = Assert.Single(report.Cases, c => !c.Ok);
        Assert.Equal((id, output), (failed.Id, failed.Output));
        Assert.Contains("first at [", failed.Where, StringComparison.Ordinal);
        Assert.Contains("1 of ", failed.Where, StringComparison.Ordinal);
        Assert.Contains(id, report.First, StringComparison.Ordinal);
        Assert.False(report.Ok);
    }

    [Fact]
    public void Number_MovedWithinItsTolerance_Agrees()
    {
        var copy = Copy("stable-unclip-image-normalizer");
        ChangeTensor(copy, "scale/scaled", values => values.view(-1)[3] += 5e-5f);
        var report = Run(copy);
        Assert.True(report.Ok, report.First);
        Assert.InRange(report.Cases.Max(c => c.MaxAbs ?? 0), 4e-5, 6e-5);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Number_ThatIsNone_NeverAgrees(float value)
    {
        var copy = Copy("stable-unclip-image-normalizer");
        ChangeTensor(copy, "scale/embeds", values => values.view(-1)[0] = value);
        var failed = Assert.Single(Run(copy).Cases, c => !c.Ok);
        Assert.Equal("scaled", failed.Output);
        Assert.Null(failed.MaxAbs);
    }

    [Fact]
    public void Shape_OfAnotherSize_IsNamed()
    {
        var copy = Copy("stable-unclip-image-normalizer");
        Rewrite(Path.Combine(copy, "tensors.safetensors"), tensors => tensors["scale/scaled"] = tensors["scale/scaled"].narrow(1, 0, 5));
        Assert.Contains("should be [3, 5]", Assert.Single(Run(copy).Cases, c => !c.Ok).Where, StringComparison.Ordinal);
    }

    [Fact]
    public void FixtureThatCannotBeRun_IsAFailureWithAReason()
    {
        var copy = Copy("stable-unclip-image-normalizer");
        EditCases(copy, root => root["reference"]!["class"] = "SomethingElse");
        var report = Run(copy);
        Assert.False(report.Ok);
        Assert.All(report.Cases, c => Assert.Contains("SomethingElse", c.Error, StringComparison.Ordinal));

        EditCases(copy, root => root["cases"] = new JsonArray());
        Assert.Contains("neither cases nor texts", Assert.Single(Run(copy).Cases).Error, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(copy, "cases.json"), "{");
        Assert.Contains("not a list of cases", Assert.Single(Run(copy).Cases).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Output_ThatIsExpectedAndNotComputed_IsAFailure_UnlessItLiesBetweenComponents()
    {
        var copy = Copy("stable-unclip-image-normalizer");
        EditCases(copy, root =>
        {
            root["cases"]![0]!["outputs"]!["unet_0_in_sample"] = new JsonObject();
            root["cases"]![0]!["outputs"]!["something"] = new JsonObject();
        });
        var failed = Assert.Single(Run(copy).Cases, c => !c.Ok);
        Assert.Equal(("something", "this output is not computed."), (failed.Output, failed.Error));
    }

    [Fact]
    public void DamagedWeights_AreAFailureWithAReason()
    {
        var copy = Copy("stable-unclip-image-normalizer");
        var weights = Path.Combine(copy, "model", "diffusion_pytorch_model.safetensors");
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..^3]);
        Assert.All(Run(copy).Cases, c => Assert.Contains("truncated", c.Error, StringComparison.Ordinal));
    }

    [Fact]
    public void Tree_OfFixtures_NamesEachAndReportsInJson()
    {
        Copy("stable-unclip-image-normalizer");
        Copy("prior-options");
        var seen = new List<VerificationCase>();
        var report = Run(folder, seen.Add);
        Assert.Equal(report.Cases, seen);
        Assert.Equal(["prior-options", "stable-unclip-image-normalizer"], report.Cases.Select(c => c.Fixture!).Distinct());

        using var json = JsonDocument.Parse(report.ToJson());
        Assert.True(json.RootElement.GetProperty("ok").GetBoolean());
        var first = json.RootElement.GetProperty("cases")[0];
        Assert.Equal(["fixture", "id", "output", "ok", "max_abs", "max_rel"], first.EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public void Folder_WithNothingToVerify_IsRefused()
    {
        Assert.Contains("nothing to verify", Assert.Throws<CheckpointNotFoundException>(() => Run(folder)).Message,
            StringComparison.Ordinal);
        Assert.Throws<CheckpointNotFoundException>(() => Run(Path.Combine(folder, "absent")));
    }

    private string Copy(string name)
    {
        var target = Path.Combine(folder, name);
        foreach (var file in Directory.GetFiles(Path.Combine(Fixtures, name), "*", SearchOption.AllDirectories))
        {
            var path = Path.Combine(target, Path.GetRelativePath(Path.Combine(Fixtures, name), file));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(file, path);
        }

        return target;
    }

    private static void EditCases(string fixture, Action<JsonNode> edit)
    {
        var path = Path.Combine(fixture, "cases.json");
        var root = JsonNode.Parse(File.ReadAllText(path))!;
        edit(root);
        File.WriteAllText(path, root.ToJsonString());
    }

    private static void ChangeTensor(string fixture, string name, Action<torch.Tensor> change) =>
        Rewrite(Path.Combine(fixture, "tensors.safetensors"), tensors => change(tensors[name]));

    private static void Rewrite(string path, Action<Dictionary<string, torch.Tensor>> change)
    {
        using var scope = torch.NewDisposeScope();
        Dictionary<string, torch.Tensor> tensors;
        using (var source = new SafeTensorsFile(path)) tensors = source.Names.ToDictionary(name => name, source.Read);
        change(tensors);
        SafeTensorsWriter.Write(path, tensors);
    }
}
