using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using TorchSharp;

namespace Alebrije.Tests.Weights;

/// <summary>Writes pickles opcode by opcode, valid and invalid ones, and packs them as torch.save does.</summary>
internal sealed class PickleWriter
{
    private readonly MemoryStream code = new();

    public PickleWriter() => Op('\u0080', 2);

    public PickleWriter Op(char opcode, params byte[] argument)
    {
        code.WriteByte((byte)opcode);
        code.Write(argument);
        return this;
    }

    public PickleWriter Global(string module, string name) => Op('c', Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleWriter Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op('X', [.. length, .. bytes]);
    }

    public PickleWriter Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return Op('J', bytes);
    }

    public PickleWriter Numbers(int[] values)
    {
        Op('(');
        foreach (var value in values) Number(value);
        return Op('t');
    }

    /// <summary>Writes a tensor as torch.save does.</summary>
    public PickleWriter Tensor(string storageType, string key, int count, int offset, int[] shape, int[] strides)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Op('(')
            .Text("storage").Global("torch", storageType).Text(key).Text("cpu").Number(count).Op('t').Op('Q');
        return Number(offset).Numbers(shape).Numbers(strides).Op('\u0089')
            .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');
    }

    /// <summary>Packs the pickle with its storages (uncompressed, the first is <c>data/0</c>) under a folder, as torch.save does.</summary>
    public string Save(string path, params byte[][] storages)
    {
        File.Delete(path);
        using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
        Add(archive, "archive/data.pkl", code.ToArray());
        Add(archive, "archive/byteorder", "little"u8.ToArray());
        for (var i = 0; i < storages.Length; i++) Add(archive, $"archive/data/{i}", storages[i]);
        return path;
    }

    /// <summary>Writes tensors as torch.save does: by their names, or as a training checkpoint of open_clip under a run's name.</summary>
    public static string SaveTensors(string path, IReadOnlyDictionary<string, torch.Tensor> tensors, string? run = null)
    {
        var (writer, storages) = (new PickleWriter().Op('}'), new List<byte[]>());
        if (run is not null) writer.Text("epoch").Number(5).Op('s').Text("name").Text(run).Op('s').Text("state_dict").Op('}');
        foreach (var (name, tensor) in tensors)
        {
            using var contiguous = tensor.detach().contiguous();
            int[] shape = [.. contiguous.shape.Select(size => (int)size)], strides = [.. contiguous.stride().Select(stride => (int)stride)];
            var type = contiguous.dtype switch
            {
                torch.ScalarType.Float32 => "FloatStorage",
                torch.ScalarType.Float16 => "HalfStorage",
                torch.ScalarType.Int64 => "LongStorage",
                var other => throw new ArgumentException($"{other}"),
            };
            writer.Text(run is null ? name : "module." + name).Tensor(type,
                $"{storages.Count}", (int)contiguous.numel(), 0, shape, strides).Op('s');
            storages.Add(contiguous.bytes.ToArray());
        }

        if (run is not null) writer.Op('s');
        return writer.Op('.').Save(path, [.. storages]);
    }

    /// <summary>Writes the pickle and its storages one after another, as torch.save did before PyTorch 1.6.</summary>
    public string SaveOld(string path, params (string Key, long Count, byte[] Bytes)[] storages)
    {
        using var file = File.Create(path);
        file.Write([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.']);
        file.Write([0x80, 2, (byte)'M', 0xe9, 0x03, (byte)'.']);
        var machine = new PickleWriter().Op('}').Text("little_endian").Op('\u0088').Op('s').Op('.');
        var keys = new PickleWriter().Op(']').Op('(');
        foreach (var (key, _, _) in storages) keys.Text(key);
        file.Write([.. machine.code.ToArray(), .. code.ToArray(), .. keys.Op('e').Op('.').code.ToArray()]);
        foreach (var (_, count, bytes) in storages)
        {
            var length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, count);
            file.Write([.. length, .. bytes]);
        }

        return path;
    }

    private static void Add(ZipArchive archive, string name, byte[] bytes)
    {
        using var stream = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
        stream.Write(bytes);
    }
}
