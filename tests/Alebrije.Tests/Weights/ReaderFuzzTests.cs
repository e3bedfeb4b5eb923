using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Weights;

/// <summary>Damaged files of both formats: each is read in full or refused with a <see cref="WeightsException"/>, in bounded memory.</summary>
public sealed class ReaderFuzzTests : IDisposable
{
    private const int Rounds = 1500;
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-fuzz-").FullName;

    public ReaderFuzzTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void SafeTensors_Damaged_AreReadOrRefused()
    {
        var path = Path.Combine(folder, "sound.safetensors");
        using var weight = torch.rand(4, 6);
        using var ids = torch.arange(10);
        SafeTensorsWriter.Write(path, [new("encoder.weight", weight), new("encoder.position_ids", ids)], new Dictionary<string, string> { ["format"] = "pt" });
        Damage(File.ReadAllBytes(path), static damaged => new SafeTensorsFile(damaged));
    }

    [Fact]
    public void Pickles_Damaged_AreReadOrRefused()
    {
        var floats = MemoryMarshal.AsBytes(Enumerable.Range(0, 24).Select(i => (float)i).ToArray().AsSpan()).ToArray();
        var path = new PickleWriter().Op('}').Op('(')
            .Text("encoder.weight").Tensor("FloatStorage", "0", 24, 0, [4, 6], [1, 4])
            .Text("encoder.bias").Tensor("HalfStorage", "1", 12, 2, [10], [1])
            .Op('u').Op('.').Save(Path.Combine(folder, "sound.bin"), floats, floats[..24]);
        Damage(File.ReadAllBytes(path), static damaged => new PickleFile(damaged));
    }

    private void Damage(byte[] sound, Func<string, TensorSource> open)
    {
        var random = new Random(20);
        var target = Path.Combine(folder, "damaged");
        var (read, refused) = (0, 0);
        var before = GC.GetTotalAllocatedBytes();
        for (var round = 0; round < Rounds; round++)
        {
            File.WriteAllBytes(target, Mutate(sound, random));
            try
            {
                using var source = open(target);
                foreach (var name in source.Names)
                {
                    using var tensor = source.Read(name);
                    Assert.True(tensor.numel() * tensor.element_size() <= sound.Length);
                }

                read++;
            }
            catch (WeightsException e)
            {
                Assert.True(e.Message.Length < 2000);
                refused++;
            }
        }

        Assert.True(read > 0 && refused > Rounds / 10, $"{read} read, {refused} refused");
        Assert.True(GC.GetTotalAllocatedBytes() - before < Rounds * 2_000_000L);
    }

    private static byte[] Mutate(byte[] sound, Random random)
    {
        var bytes = (byte[])sound.Clone();
        switch (random.Next(5))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                for (var i = random.Next(1, 9); i > 0; i--) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                // A number, wherever one may stand, becomes a lie.
                var lies = new[] { -1L, long.MaxValue, int.MaxValue, 1L << 40, 0, 99_999_999 };
                BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(random.Next(bytes.Length - 8)), lies[random.Next(lies.Length)]);
                return bytes;
            case 3:
                // Digits of the JSON header, or opcodes of the pickle.
                for (var i = random.Next(1, 4); i > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            default:
                var at = random.Next(bytes.Length);
                return [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
        }
    }
}
