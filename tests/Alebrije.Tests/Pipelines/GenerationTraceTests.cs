using System.Security.Cryptography;
using System.Runtime.InteropServices;
using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Pipelines;

public sealed class GenerationTraceTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-trace-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Trace_OfARun_IsComplete_AndItsHashesAreThoseOfItsFiles()
    {
        using var pipeline = ImagePipeline.Load(TinyPipeline.Golden);
        var trace = new GenerationTrace(folder);
        var request = new GenerationRequest { Prompt = "a cat on a mat", Steps = 7, PriorSteps = 4, PriorCandidates = 2 };
        var result = pipeline.Run(request, trace: trace);
        trace.Finish(result.Request);

        Assert.Equal(
        [
            "tokens", "token ids", "text embedding", "text encodings", "prior trajectory", "prior trajectory", "candidate cosines",
            "image embedding", "decoder condition", "decoder text encodings",
            "decoder noise", "predicted picture 1", "predicted picture 2", "predicted picture 3", "predicted picture 4",
            "predicted picture 5", "predicted picture 6", "predicted picture 7", "latents", "picture",
        ], trace.Stages.Select(s => s.Name));
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "trace.json")));
        Assert.Equal("a cat on a mat", json.RootElement.GetProperty("run").GetProperty("prompt").GetString());
        var stages = json.RootElement.GetProperty("stages").EnumerateArray().ToArray();
        Assert.Equal(Directory.GetFiles(folder).Select(Path.GetFileName).Order(),
            stages.Select(s => s.GetProperty("file").GetString()).Append("trace.json").Order());
        foreach (var stage in stages)
        {
            var (bytes, shape, norm) = Read(Path.Combine(folder, stage.GetProperty("file").GetString()!));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), stage.GetProperty("hash").GetString());
            Assert.Equal(shape, stage.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64()));
            if (norm is { } length) Assert.Equal(length, stage.GetProperty("norm").GetDouble(), 1e-4 * length);
            else Assert.Equal(JsonValueKind.Null, stage.GetProperty("norm").ValueKind);
        }

        Assert.Equal(result.Image.Pixels, RgbImage.Load(Path.Combine(folder, trace.Stages[^1].File)).Pixels);
        var trajectory = stages.First(s => s.GetProperty("name").GetString() == "prior trajectory");
        Assert.Equal([4, 1, 24], trajectory.GetProperty("shape").EnumerateArray().Select(n => n.GetInt32()));
        var cosines = trajectory.GetProperty("notes").GetProperty("cosine_of_predicted_embedding_to_text")
            .EnumerateArray().Select(n => n.GetDouble()).ToArray();
        Assert.Equal(4, cosines.Length);
        Assert.All(cosines, cosine => Assert.InRange(cosine, -1.000001, 1.000001));
    }

    [Fact]
    public void Trace_OfTheSameRequest_IsTheSame_AndDoesNotChangeThePicture()
    {
        using var pipeline = ImagePipeline.Load(TinyPipeline.Golden);
        var request = new GenerationRequest { Prompt = "a cat", Steps = 3, PriorSteps = 3 };
        var (one, other) = (new GenerationTrace(Path.Combine(folder, "one")), new GenerationTrace(Path.Combine(folder, "other")));
        var pixels = pipeline.Run(request, trace: one).Image.Pixels;
        pipeline.Run(request, trace: other);
        Assert.Equal(one.Stages.Select(s => (s.Name, s.File, s.Hash)), other.Stages.Select(s => (s.Name, s.File, s.Hash)));
        Assert.Equal(pixels, pipeline.Run(request).Image.Pixels);
    }

    private static (byte[] Bytes, IEnumerable<long> Shape, double? Norm) Read(string file)
    {
        switch (Path.GetExtension(file))
        {
            case ".png":
                var picture = RgbImage.Load(file);
                return (picture.Pixels, [picture.Height, picture.Width, 3], Math.Sqrt(picture.Pixels.Sum(x => (double)x * x)));
            case ".json":
                using (var tokens = JsonDocument.Parse(File.ReadAllText(file)))
                    return (File.ReadAllBytes(file), [tokens.RootElement.GetArrayLength()], null);
            default:
                var array = Npy.Read(file);
                return array.Values switch
                {
                    long[] ids => (MemoryMarshal.AsBytes(ids.AsSpan()).ToArray(), array.Shape.Select(n => (long)n), null),
                    float[] numbers => (MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray(),
                        array.Shape.Select(n => (long)n), Math.Sqrt(numbers.Sum(x => (double)x * x))),
                    _ => throw new InvalidDataException(file),
                };
        }
    }
}
