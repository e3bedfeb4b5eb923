using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Benchmarks;

/// <summary>A pipeline folder in the published layout with random weights in float16, of any size; removed when disposed.</summary>
internal sealed class SizedFolder : IDisposable
{
    /// <summary>Most values in one weight file; larger networks are written as shards.</summary>
    private const long MostNumbers = 1L << 30;

    private readonly Stopwatch clock = Stopwatch.StartNew();

    /// <param name="name">Name of the folder.</param>
    /// <param name="index">Content of model_index.json.</param>
    public SizedFolder(string name, string index)
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "alebrije-" + name);
        Directory.CreateDirectory(Path);
        File.WriteAllText(System.IO.Path.Combine(Path, "model_index.json"), index);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Writes a network.</summary>
    /// <param name="name">Its name in the index.</param>
    /// <param name="className">Its class in the index.</param>
    /// <param name="config">Content of config.json.</param>
    public void Network(string name, string className, string config)
    {
        var path = Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;
        File.WriteAllText(System.IO.Path.Combine(path, "config.json"), config);
        var stem = className.StartsWith("CLIP", StringComparison.Ordinal)
            || className.StartsWith("T5", StringComparison.Ordinal) ? "model" : "diffusion_pytorch_model";
        Weights(path, stem, ComponentCatalog.Names(className, path));
    }

    /// <summary>Writes random weights, as shards with an index where they are many.</summary>
    /// <param name="path">Folder of the network.</param>
    /// <param name="stem">Name of the file without its ending.</param>
    /// <param name="tensors">Names and shapes.</param>
    /// <param name="mostNumbers">Most values in one file.</param>
    public static void Weights(string path, string stem, IEnumerable<KeyValuePair<string, long[]>> tensors, long mostNumbers = MostNumbers)
    {
        var shards = new List<List<KeyValuePair<string, long[]>>> { new() };
        long numbers = 0;
        foreach (var tensor in tensors)
        {
            var size = tensor.Value.Aggregate(1L, (a, b) => a * b);
            if (numbers + size > mostNumbers && shards[^1].Count > 0) (numbers, _) = (0, Begin());
            numbers += size;
            shards[^1].Add(tensor);
        }

        var map = new Dictionary<string, string>();
        for (var i = 0; i < shards.Count; i++)
        {
            using var scope = NewDisposeScope();
            var file = shards.Count == 1 ? $"{stem}.safetensors" : string.Create(CultureInfo.InvariantCulture,
                $"{stem}-{i + 1:D5}-of-{shards.Count:D5}.safetensors");
            // Weights of norms are 1, so that activations stay finite; all others are small.
            var weights = shards[i].ToDictionary(shape => shape.Key,
                shape => shape.Value.Length < 2 && shape.Key.EndsWith("weight", StringComparison.Ordinal)
                ? ones(shape.Value, ScalarType.Float16) : randn(shape.Value, ScalarType.Float16).mul_(0.02));
            SafeTensorsWriter.Write(System.IO.Path.Combine(path, file), weights, new Dictionary<string, string> { ["format"] = "pt" });
            foreach (var key in weights.Keys) map[key] = file;
        }

        if (shards.Count > 1)
            File.WriteAllText(System.IO.Path.Combine(path, $"{stem}.safetensors.index.json"),
                JsonSerializer.Serialize(new { metadata = new { total_size = 0 }, weight_map = map }));

        bool Begin()
        {
            shards.Add([]);
            return true;
        }
    }

    /// <summary>Writes a scheduler's configuration.</summary>
    public void Scheduler(string name, string className, string values)
    {
        var path = Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;
        File.WriteAllText(System.IO.Path.Combine(path, "scheduler_config.json"),
            $$"""{ "_class_name": "{{className}}", "num_train_timesteps": 1000, {{values}} }""");
    }

    /// <summary>Copies mini's vocabulary; only the length of the rows affects time.</summary>
    public void Tokenizer(string name)
    {
        var (source, target) = (System.IO.Path.Combine(Alebrije.Catalog.ModelCatalog.Create().Find("mini"), "tokenizer"),
            Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName);
        foreach (var file in Directory.GetFiles(source))
            File.Copy(file, System.IO.Path.Combine(target, System.IO.Path.GetFileName(file)), overwrite: true);
        var config = System.IO.Path.Combine(target, "tokenizer_config.json");
        File.WriteAllText(config,
            File.ReadAllText(config).Replace("\"model_max_length\": 32", "\"model_max_length\": 77", StringComparison.Ordinal));
    }

    /// <summary>Prints the size of the folder.</summary>
    public void SayWritten()
    {
        var bytes = Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Say($"written: {bytes / 1e9:F2} GB of random weights in {clock.Elapsed.TotalSeconds:F0} s");
        FreedMemory.Return();
    }

    /// <summary>Generates an image and prints estimated and actual time and memory.</summary>
    public void Draw(GenerationRequest request)
    {
        SayWritten();
        using var pipeline = ImagePipeline.Load(Path, new ImagePipelineOptions { KeepLoaded = false });
        var estimate = pipeline.Estimate(request);
        foreach (var stage in estimate.Stages) Say($"  {stage.Stage,-18}{stage.Bytes / 1e9,8:F2} GB{stage.Seconds,10:F1} s");
        PeakMemory.Reset();
        var (spent, before) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        var steps = new List<double>();
        var denoising = 0L;
        var result = pipeline.Generate(request, step =>
        {
            steps.Add(spent.Elapsed.TotalSeconds);
            denoising = Math.Max(denoising, PeakMemory.Bytes());
            PeakMemory.Reset();
        });
        var (seconds, decoding) = (spent.Elapsed.TotalSeconds, PeakMemory.Bytes());
        var peak = Math.Max(denoising, decoding);
        var stages = result.Seconds.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key} {s.Value:F1} s"));
        Say($"stages: {string.Join(", ", stages)}; steps ended after {string.Join(", ", steps.Select(end => $"{end:F0}"))} s");
        Say($"image: {result.Image.Width} x {result.Image.Height}, {pipeline.Precision.Decoder}");
        var processor = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        var error = (estimate.Seconds / seconds) - 1;
        Say($"time: estimated {estimate.Seconds:F0} s, took {seconds:F0} s ({error:+0.0%;-0.0%}), processor {processor:F0} s");
        var share = (double)estimate.PeakBytes / peak;
        Say($"peak memory: estimated {estimate.PeakBytes / 1e9:F2} GB, took {peak / 1e9:F2} GB ({share - 1:+0.0%;-0.0%})");
        Say($"peak memory up to the last step {denoising / 1e9:F2} GB, after it {decoding / 1e9:F2} GB");
        foreach (var note in result.Notes) Say($"{note.Sentence}");
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}

/// <summary>Peak memory of this process since the last reset (Linux), or since its start.</summary>
internal static class PeakMemory
{
    private const string Status = "/proc/self/status", Clear = "/proc/self/clear_refs";

    /// <summary>Resets the peak to the current memory.</summary>
    public static void Reset()
    {
        if (OperatingSystem.IsLinux()) File.WriteAllText(Clear, "5");
    }

    /// <summary>Peak memory in bytes.</summary>
    public static long Bytes()
    {
        if (!OperatingSystem.IsLinux()) return Process.GetCurrentProcess().PeakWorkingSet64;
        var line = File.ReadLines(Status).First(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
