using System.Runtime.InteropServices;
using System.Text.Json;

namespace Alebrije.Tests.Imaging;

/// <summary>Reads a fixture of images (cases.json and tensors.safetensors) without a tensor library.</summary>
internal sealed class PixelGolden
{
    private readonly Dictionary<string, (string Type, int[] Shape, int Start, int Length)> tensors = [];
    private readonly byte[] bytes;

    public PixelGolden(string name)
    {
        Folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", name);
        Cases = [.. JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "cases.json")))
            .RootElement.GetProperty("cases").EnumerateArray()];
        bytes = File.ReadAllBytes(Path.Combine(Folder, "tensors.safetensors"));
        var header = (int)BitConverter.ToInt64(bytes);
        foreach (var entry in JsonDocument.Parse(bytes.AsMemory(8, header))
            .RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            var offsets = entry.Value.GetProperty("data_offsets").EnumerateArray().Select(o => o.GetInt32()).ToArray();
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(o => o.GetInt32()).ToArray();
            tensors[entry.Name] = (entry.Value.GetProperty("dtype").GetString()!, shape, 8 + header + offsets[0], offsets[1] - offsets[0]);
        }
    }

    public string Folder { get; }

    public IReadOnlyList<JsonElement> Cases { get; }

    public int[] Shape(string name) => tensors[name].Shape;

    public string Type(string name) => tensors[name].Type;

    public byte[] Bytes(string name) => bytes.AsSpan(tensors[name].Start, tensors[name].Length).ToArray();

    public float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();
}
