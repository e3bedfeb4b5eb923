using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using Alebrije.Tensors;
using Alebrije.Weights;

namespace Alebrije.Tests.Weights;

/// <summary>Small pickles that describe large objects: each is refused, or read in time and memory of its own size.</summary>
public sealed class PickleBombTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-bomb-").FullName;

    public PickleBombTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Target => Path.Combine(folder, "weights.bin");

    [Fact]
    public void Dictionaries_SharedOverAndOver_AreRefused()
    {
        // 16 keys of one dictionary, eight levels deep: 16^8 paths. Only the last stays on the stack.
        var file = new PickleWriter().Op('}').Op('q', 0).Op('0');
        for (var level = 1; level <= 8; level++)
        {
            file.Op('}').Op('(');
            for (var key = 0; key < 16; key++) file.Op('K', (byte)key).Op('h', (byte)(level - 1));
            file.Op('u').Op('q', (byte)level).Op('0');
        }

        var error = Refused(file.Op('h', 8).Op('.'));
        Assert.Contains("repeats its dictionaries more often than any checkpoint", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Dictionaries_SharedTwice_AreRead()
    {
        var writer = new PickleWriter().Op('}').Op('(').Text("state").Op('}').Op('q', 1)
            .Text("weight").Tensor("FloatStorage", "0", 2, 0, [2], [1]).Op('s').Text("average").Op('h', 1).Op('u').Op('.');
        using var file = new PickleFile(writer.Save(Target, new byte[8]));
        Assert.Equal(["average.weight", "state.weight"], file.Names.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Keys_OfOneHash_TakeNoLongerThanOthers(bool collide)
    {
        var writer = new PickleWriter().Op('}').Op('(');
        var bytes = new byte[9];
        bytes[0] = 8;
        for (var i = 1L; i <= 200_000; i++)
        {
            // The hash of a long is its upper half xor its lower half.
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(1), collide ? (i << 32) | i : i);
            writer.Op('\u008a', bytes).Op('N');
        }

        var clock = Stopwatch.StartNew();
        using var file = new PickleFile(writer.Op('u').Op('.').Save(Target));
        Assert.Empty(file.Names);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(8), $"{clock.Elapsed}");
    }

    [Fact]
    public void Globals_NamedAMillionTimes_TakeTheMemoryOfOne()
    {
        var writer = new PickleWriter().Op('}')
            .Text("__torch__." + new string('a', 400)).Op('q', 1).Op('0').Text(new string('b', 400)).Op('q', 2).Op('0');
        for (var i = 0; i < 500_000; i++) writer.Op('h', 1).Op('h', 2).Op('\u0093').Op('0');
        writer.Op('.').Save(Target);
        AddCode();
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var file = new PickleFile(Target);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100L << 20);
    }

    [Fact]
    public void Globals_LongerThanThePickle_AreRefused()
    {
        var writer = new PickleWriter().Op('}');
        for (byte i = 0; i < 100; i++)
            writer.Text("__torch__." + new string('a', 480) + i).Op('q', i).Op('0').Text(new string('b', 480) + i).Op('q', (byte)(i + 100))
                .Op('0');
        for (byte i = 0; i < 100; i++)
            for (byte j = 0; j < 100; j++) writer.Op('h', i).Op('h', (byte)(j + 100)).Op('\u0093').Op('0');
        writer.Op('.').Save(Target);
        AddCode();
        Assert.Contains("names more globals than it has room for",
            Assert.Throws<WeightsException>(() => new PickleFile(Target)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_InMessages_AreShort()
    {
        var error = Refused(new PickleWriter().Op('}').Text("a")
            .Tensor("FloatStorage", new string('k', 1_000_000), 2, 0, [2], [1]).Op('s').Op('.'));
        Assert.InRange(error.Length, 50, 1000);
    }

    private string Refused(PickleWriter writer)
    {
        var clock = Stopwatch.StartNew();
        var error = Assert.Throws<WeightsException>(() => new PickleFile(writer.Save(Target, new byte[8])));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(8), $"{clock.Elapsed}");
        return error.Message;
    }

    /// <summary>Makes the file a TorchScript archive.</summary>
    private void AddCode()
    {
        using var archive = ZipFile.Open(Target, ZipArchiveMode.Update);
        archive.CreateEntry("archive/code/x.py");
    }
}
