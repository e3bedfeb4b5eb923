using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Alebrije.Tests.Weights;

/// <summary>Writes pickles opcode by opcode, sound and unsound ones, and packs them as torch.save does.</summary>
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

    /// <summary>What torch.save writes for a tensor.</summary>
    public PickleWriter Tensor(string storageType, string key, int count, int offset, int[] shape, int[] strides)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Op('(').Text("storage").Global("torch", storageType).Text(key).Text("cpu").Number(count).Op('t').Op('Q');
        return Number(offset).Numbers(shape).Numbers(strides).Op('\u0089').Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');
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

    private static void Add(ZipArchive archive, string name, byte[] bytes)
    {
        using var stream = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
        stream.Write(bytes);
    }
}
