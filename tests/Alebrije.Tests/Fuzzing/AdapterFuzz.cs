using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Search;
using Alebrije.Search.Vectors;
using Alebrije.Tests.Pipelines;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Fuzzing;

/// <summary>
/// Readers of files that stand beside a model or for a whole one: LoRA, textual inversions, checkpoints of one file, byte-level
/// tokenizers, and the files of an index.
/// </summary>
internal static class AdapterFuzz
{
    private const long Small = 64L << 20, Checkpoint = 256L << 20;
    private const int Width = 16;

    /// <summary>All of them.</summary>
    /// <param name="fixtures">Folder of the tests' fixtures.</param>
    public static IEnumerable<FuzzTarget> Targets(string fixtures)
    {
        var folder = Path.Combine(fixtures, "stable-unclip-euler", "model");
        var model = new Lazy<LoraTargets>(() => new LoraTargets(PipelineFolder.Open(folder)));
        yield return new FuzzTarget("lora", "x.safetensors", () => [Lora(model.Value, "lora_A.weight", "lora_B.weight", alpha: false),
            Lora(model.Value, "lora_down.weight", "lora_up.weight", alpha: true)], path => ReadLora(path, model.Value),
            [typeof(WeightsException)], Small) { Change = ChangedHeader };
        yield return new FuzzTarget("textual-inversion", "x.safetensors", () => [Tensors(("emb_params", rand(2, Width))),
            Tensors(("<lion>", rand(Width)))], ReadEmbedding, [typeof(WeightsException)], Small) { Change = ChangedHeader };
        yield return new FuzzTarget("single-file", "x.safetensors", () => [SingleFile("a.safetensors")], ReadSingleFile,
            [typeof(WeightsException)], Checkpoint) { Change = ChangedHeader };
        yield return new FuzzTarget("single-file-pickle", "x.ckpt", () => [SingleFile("a.ckpt")], ReadSingleFile,
            [typeof(WeightsException)], Checkpoint);
        yield return new FuzzTarget("tokenizer-byte-level", "tokenizer.json", () => [ByteLevel()], path =>
        {
            var tokenizer = ByteLevelTokenizer.Load(Path.GetDirectoryName(path)!);
            foreach (var text in (string[])["a lion & un le\u00f3n \U0001F981 <|endoftext|>", "  \u0001\t ", ""])
                tokenizer.Decode(tokenizer.Encode(text));
        }, [typeof(InvalidDataException), typeof(FileNotFoundException)], Checkpoint);
        yield return new FuzzTarget("index-tables", "index.db", () => [Tables()], ReadIndex,
            [typeof(InvalidDataException), typeof(FileNotFoundException), typeof(IOException)], Small);
        yield return new FuzzTarget("index-vectors", "x.vectors", () => [Vectors(VectorType.Half), Vectors(VectorType.Single)], path =>
        {
            using var vectors = VectorFile.Open(path);
            var row = new float[vectors.Width];
            for (var i = 0L; i < vectors.Count; i++) vectors.Row(i, row);
        }, [typeof(InvalidDataException)], Small);
    }

    private static void ReadLora(string path, LoraTargets targets)
    {
        using var file = LoraFile.Open(new LoraInput(path), targets);
        foreach (var addition in file.Additions) file.Delta(addition).Dispose();
    }

    private static void ReadEmbedding(string path) =>
        TextualInversion.Read(new EmbeddingInput(path), [new TokenTower("text_encoder", Width, null)], "model").Dispose();

    private static void ReadSingleFile(string path)
    {
        var folder = PipelineFolder.Open(path);
        folder.CheckWeights();
        foreach (var component in folder.Components.Keys.Where(name => name.EndsWith("scheduler", StringComparison.Ordinal)))
            folder.Scheduler(component);
    }

    private static void ReadIndex(string path)
    {
        using var index = PictureIndex.Open(Path.GetDirectoryName(path)!);
        index.Status();
    }

    /// <summary>A LoRA of two matrices of the UNet, in the names of peft or of kohya's trainers.</summary>
    private static byte[] Lora(LoraTargets targets, string down, string up, bool alpha)
    {
        const string module = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_";
        var tensors = new List<(string, Tensor)>();
        foreach (var matrix in (string[])["q", "v"])
        {
            var shape = targets.Find(module + matrix)!.Shape;
            var name = alpha ? "lora_" + (module + matrix).Replace('.', '_') : module + matrix;
            tensors.AddRange([($"{name}.{down}", rand(2, shape[1])), ($"{name}.{up}", rand(shape[0], 2))]);
            if (alpha) tensors.Add(($"{name}.alpha", tensor(1f)));
        }

        return Tensors([.. tensors]);
    }

    private static byte[] SingleFile(string name) => InFolder(folder =>
    {
        using var scope = NewDisposeScope();
        var model = RandomPipelines.Published(Path.Combine(folder, "model"), SingleFileKind.One);
        using var writer = new SingleFileWriter(model, SingleFileKind.One);
        return writer.Save(Path.Combine(folder, name));
    });

    private static byte[] Tensors(params (string Name, Tensor Tensor)[] tensors) => InFolder(folder =>
    {
        var path = Path.Combine(folder, "a.safetensors");
        SafeTensorsWriter.Write(path, tensors.Select(pair => KeyValuePair.Create(pair.Name, pair.Tensor)));
        foreach (var (_, one) in tensors) one.Dispose();
        return path;
    });

    private static byte[] ByteLevel() => Encoding.UTF8.GetBytes(ByteLevelTrainer.Train(
        ["a lion and a dog", "a red lion", "two dogs and a lion"], 290, ["<|endoftext|>"]));

    private static byte[] Tables() => InFolder(folder =>
    {
        PictureIndex.OpenOrCreate(folder).Dispose();
        return Path.Combine(folder, "index.db");
    });

    private static byte[] Vectors(VectorType type) => InFolder(folder =>
    {
        var path = Path.Combine(folder, "a.vectors");
        using var vectors = VectorFile.Create(path, Width, type);
        for (var i = 0; i < 5; i++) vectors.Append([.. Enumerable.Range(0, Width).Select(j => (i - j) / 16f)]);
        vectors.Flush();
        return path;
    });

    /// <summary>A safetensors file whose header has one name, type, shape or offset replaced by another, and is still JSON.</summary>
    private static byte[]? ChangedHeader(byte[] sound, Random random)
    {
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(sound);
        if (JsonNode.Parse(sound.AsSpan(8, length)) is not JsonObject header) return null;
        var names = header.Where(pair => pair.Value is JsonObject && pair.Key != "__metadata__").Select(pair => pair.Key).ToArray();
        var name = names[random.Next(names.Length)];
        var entry = header[name]!.AsObject();
        switch (random.Next(5))
        {
            case 0:
                header.Remove(name);
                break;
            case 1:
                header.Remove(name);
                header[random.Next(2) == 0 ? name + ".x" : names[random.Next(names.Length)]] = entry;
                break;
            case 2:
                entry["dtype"] = new[] { "F16", "BF16", "I64", "U8", "F64", "X" }[random.Next(6)];
                break;
            case 3:
                entry["shape"] = new JsonArray(random.Next(4) switch { 0 => -1, 1 => 1 << 30, 2 => 0, _ => random.Next(1, 64) },
                    random.Next(1, 64));
                break;
            default:
                entry["shape"] = new JsonArray([.. entry["shape"]!.AsArray().Reverse().Select(number => number!.DeepClone())]);
                break;
        }

        var text = Encoding.UTF8.GetBytes(header.ToJsonString());
        var size = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(size, text.Length);
        return [.. size, .. text, .. sound.AsSpan(8 + length)];
    }

    private static byte[] InFolder(Func<string, string> write)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-fuzz-sample-").FullName;
        try
        {
            return File.ReadAllBytes(write(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
