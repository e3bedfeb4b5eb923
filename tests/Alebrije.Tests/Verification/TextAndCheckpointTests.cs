using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Tensors;
using Alebrije.Verification;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Verification;

public sealed class TextAndCheckpointTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-verify-").FullName;

    public TextAndCheckpointTests() => TorchRuntime.Initialize();

    private static string Fixtures => Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private static VerificationReport Run(string path, Action<VerificationCase>? progress = null) =>
        Verifier.Run(path, progress, TestContext.Current.CancellationToken);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Texts_OfAPipelinesTokenizer_AgreeUntilOneIdIsMoved()
    {
        // A pipeline's folder in the layout of the goldens: model/tokenizer and text.json.
        Copy(Path.Combine(Fixtures, "clip-tokenizer-karlo"), Path.Combine(folder, "model", "tokenizer"));
        var texts = Path.Combine(folder, "text.json");
        File.Move(Path.Combine(folder, "model", "tokenizer", "text.json"), texts);
        File.WriteAllText(Path.Combine(folder, "cases.json"),
            """{"reference":{"library":"diffusers","class":"UnCLIPPipeline"},"cases":[]}""");

        var sound = Assert.Single(Run(folder).Cases);
        Assert.Equal(("text", "ids", true, 0), (sound.Id, sound.Output, sound.Ok, sound.Differences));
        Assert.True(sound.Texts > 3);

        var json = File.ReadAllText(texts);
        var at = json.IndexOf("320", StringComparison.Ordinal);
        File.WriteAllText(texts, string.Concat(json.AsSpan(0, at), "321", json.AsSpan(at + 3)));
        var moved = Assert.Single(Run(folder).Cases);
        Assert.Equal((false, 1), (moved.Ok, moved.Differences));
        Assert.Contains("is 320 and should be 321", moved.Where, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("openai", "clip", "SimpleTokenizer + tokenize(truncate=True)", "tokenize", "clean, ids, ids")]
    [InlineData("open-clip", "open_clip", "SimpleTokenizer", "tokenize", "clean, ids, ids")]
    [InlineData("transformers", "transformers", "CLIPTokenizer", "padded", "attention_mask, ids, ids_pad_bang, input_ids, mask_pad_bang")]
    [InlineData("clean", "ftfy", "fix_text, then html.unescape twice", null, "fixed, unescaped")]
    public void Texts_OfEveryLibrary_AgreeInIdsRowsAndCleaning(string name,
        string library, string referenceClass, string? id, string outputs)
    {
        // The golden's texts are shared with the tokenizers' tests: those of its rows, the first and the last, and some between.
        var source = Path.Combine(Fixtures, "clip-text");
        using (var stream = new GZipStream(File.OpenRead(Path.Combine(source, name + ".json.gz")), CompressionMode.Decompress))
        {
            using var json = JsonDocument.Parse(stream);
            var lower = json.RootElement.EnumerateArray()
                .Where(text => !text.TryGetProperty("mode", out var mode) || mode.GetString() == "lower").ToList();
            var others = json.RootElement.EnumerateArray()
                .Where(text => text.TryGetProperty("mode", out var mode) && mode.GetString() != "lower");
            var texts = lower.Take(40).Concat(others.Where((_, i) => i % 20 == 0)).Concat(lower.TakeLast(60));
            File.WriteAllText(Path.Combine(folder, "text.json"), $"[{string.Join(',', texts.Select(text => text.GetRawText()))}]");
        }

        var cases = new JsonArray();
        if (id is not null)
        {
            File.Copy(Path.Combine(source, name + ".safetensors"), Path.Combine(folder, "tensors.safetensors"));
            cases.Add(new JsonObject
            {
                ["id"] = id, ["call"] = name == "openai" ? "tokenize" : "__call__",
                ["arguments"] = new JsonObject { ["context_length"] = 77, ["max_length"] = 77 },
            });
        }

        File.WriteAllText(Path.Combine(folder, "cases.json"), new JsonObject
        {
            ["reference"] = new JsonObject { ["library"] = library, ["class"] = referenceClass },
            ["vocabulary"] = Path.Combine(source, "bpe_simple_vocab_16e6.txt.gz"), ["cases"] = cases,
        }.ToJsonString());

        var report = Run(folder);

        Assert.True(report.Ok, report.First);
        Assert.Equal(outputs, string.Join(", ", report.Cases.Select(c => c.Output).Order(StringComparer.Ordinal)));
        Assert.All(report.Cases, c => Assert.True(c.Texts >= 100 || c.MaxAbs == 0));
    }

    [Fact]
    public void Checkpoint_OfOneComponent_IsCheckedByNamesShapesAndHashes()
    {
        var checkpoint = Path.Combine(folder, "prior");
        Copy(Path.Combine(Fixtures, "prior-options", "model"), checkpoint);
        var weights = Path.Combine(checkpoint, "diffusion_pytorch_model.safetensors");
        var hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(weights)));
        File.WriteAllText(Path.Combine(checkpoint, "SHA256SUMS"), $"{hash}  diffusion_pytorch_model.safetensors\n");
        var report = Run(checkpoint);
        Assert.True(report.Ok, report.First);
        Assert.Equal(["tensors", "sha256"], report.Cases.Select(c => c.Output));

        using (var scope = torch.NewDisposeScope())
        {
            Dictionary<string, torch.Tensor> tensors;
            using (var source = new SafeTensorsFile(weights)) tensors = source.Names.ToDictionary(name => name, source.Read);
            tensors.Remove("clip_std");
            tensors["extra"] = torch.zeros(1);
            tensors["clip_mean"] = torch.zeros(1, 3);
            SafeTensorsWriter.Write(weights, tensors);
        }

        report = Run(checkpoint);
        Assert.Equal((1, 1, 1), (report.Cases[0].Missing, report.Cases[0].Unexpected, report.Cases[0].Shapes));
        Assert.Contains("clip_std", report.Cases[0].Where, StringComparison.Ordinal);
        Assert.False(report.Cases[1].Ok);
    }

    [Fact]
    public void Checkpoint_OfAPipeline_NamesTheComponentThatIsMissing()
    {
        Copy(Path.Combine(Fixtures, "prior-options", "model"), Path.Combine(folder, "prior"));
        Copy(Path.Combine(Fixtures, "clip-tokenizer-sd1"), Path.Combine(folder, "tokenizer"));
        File.WriteAllText(Path.Combine(folder, "model_index.json"), """
            {"_class_name": "SomePipeline", "prior": ["diffusers", "PriorTransformer"], "tokenizer": ["transformers", "CLIPTokenizer"],
             "safety_checker": [null, null], "vae": ["diffusers", "AutoencoderKL"], "unet": ["diffusers", "UnknownModel"]}
            """);
        Directory.CreateDirectory(Path.Combine(folder, "unet"));
        var cases = Run(folder).Cases.ToDictionary(c => c.Id);
        Assert.Equal(["prior", "tokenizer", "unet", "vae"], cases.Keys.Order(StringComparer.Ordinal));
        Assert.True(cases["prior"].Ok && cases["tokenizer"].Ok);
        Assert.Contains("no such folder", cases["vae"].Error, StringComparison.Ordinal);
        Assert.Contains("UnknownModel", cases["unet"].Error, StringComparison.Ordinal);
    }

    private static void Copy(string source, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }
}
