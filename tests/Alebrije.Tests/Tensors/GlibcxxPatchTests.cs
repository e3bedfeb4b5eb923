using Alebrije.Preprocessing;
using Alebrije.Tensors;
using TorchSharp;

namespace Alebrije.Tests.Runtime;

public sealed class GlibcxxPatchTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-patch-").FullName;
    private readonly string library;

    public GlibcxxPatchTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux has versions of symbols");
        TorchRuntime.Initialize();
        library = Path.Combine(TorchRuntime.NativeFolder!, "libLibTorchSharp.so");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Library_AsShipped_IsChangedInItsNamesAndVersionOnly()
    {
        var (before, after) = (File.ReadAllBytes(library), File.ReadAllBytes(library));
        GlibcxxPatch.Apply(after);
        Assert.InRange(Enumerable.Range(0, before.Length).Count(i => before[i] != after[i]), 8, 20);
        Assert.DoesNotContain("_ZSt21ios_base_library_initv\0", System.Text.Encoding.Latin1.GetString(after), StringComparison.Ordinal);
    }

    [Fact]
    public void Library_AlreadyChanged_IsRefused()
    {
        var bytes = File.ReadAllBytes(library);
        GlibcxxPatch.Apply(bytes);
        Assert.Contains("was not found", Assert.Throws<InvalidDataException>(() => GlibcxxPatch.Apply(bytes)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("libtorch.so")]
    [InlineData("TorchSharp.dll")]
    [InlineData("Alebrije.Tests.runtimeconfig.json")]
    public void File_ThatIsNoSuchLibrary_IsRefused(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, name));
        Assert.Throws<InvalidDataException>(() => GlibcxxPatch.Apply(bytes));
    }

    [Fact]
    public void File_TruncatedOrDamaged_IsRefusedAndNothingElse()
    {
        // The section tables are at the end, the symbol tables at the start: both are damaged.
        var whole = File.ReadAllBytes(library);
        foreach (var length in (int[])[0, 3, 63, 64, 1000, whole.Length / 2, whole.Length - 1]) Refuse(whole[..length]);
        var random = new Random(6);
        for (var round = 0; round < 200; round++)
        {
            var bytes = (byte[])whole.Clone();
            for (var i = 0; i < 40; i++) bytes[random.Next(40, 64)] = (byte)random.Next(256);
            Refuse(bytes);
            bytes = (byte[])whole.Clone();
            for (var i = 0; i < 2000; i++) bytes[^(1 + random.Next(3000))] = (byte)random.Next(256);
            Refuse(bytes);
        }

        static void Refuse(byte[] bytes)
        {
            var error = Record.Exception(() => GlibcxxPatch.Apply(bytes));
            if (error is not null) Assert.IsType<InvalidDataException>(error);
        }
    }

    [Fact]
    public void Copy_IsMadeOnce_UsedAgain_AndMendedWhenDamaged()
    {
        var first = TorchRuntime.WritePatchedCopy(library, [folder], NoFurther);
        Assert.StartsWith(folder, first, StringComparison.Ordinal);
        var (bytes, time) = (File.ReadAllBytes(first), File.GetLastWriteTimeUtc(first));
        var expected = File.ReadAllBytes(library);
        GlibcxxPatch.Apply(expected);
        Assert.Equal(expected, bytes);

        Assert.Equal(first, TorchRuntime.WritePatchedCopy(library, [folder], NoFurther));
        Assert.Equal(time, File.GetLastWriteTimeUtc(first));

        bytes[1000] ^= 1;
        File.WriteAllBytes(first, bytes);
        Assert.Equal(first, TorchRuntime.WritePatchedCopy(library, [folder], NoFurther));
        Assert.Equal(expected, File.ReadAllBytes(first));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(first)!));
    }

    [Fact]
    public void Copy_WhereAFolderIsNotWritable_GoesToTheNext()
    {
        var blocked = Path.Combine(folder, "blocked");
        File.WriteAllText(blocked, "a file where a folder should be");
        Assert.StartsWith(Path.Combine(folder, "next"),
            TorchRuntime.WritePatchedCopy(library, [blocked, Path.Combine(folder, "next")], NoFurther), StringComparison.Ordinal);
        Assert.Contains("writable", Assert.Throws<IOException>(() => TorchRuntime.WritePatchedCopy(library, [blocked], NoFurther)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Copy_IsInAFolderOfThisUserAlone_AndTheLastResortIsANewOne()
    {
        var blocked = Path.Combine(folder, "blocked");
        File.WriteAllText(blocked, "a file where a folder should be");
        var own = Path.Combine(folder, "own");
        var copy = TorchRuntime.WritePatchedCopy(library, [blocked], () => own);
        Assert.StartsWith(own, copy, StringComparison.Ordinal);
        if (OperatingSystem.IsWindows()) return;
        for (var at = Path.GetDirectoryName(copy)!; at != own; at = Path.GetDirectoryName(at)!)
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(at));
    }

    [Fact]
    public void Copy_BelowAFolderThatOthersMayWrite_IsNeitherMadeNorUsed()
    {
        if (OperatingSystem.IsWindows()) return;
        var (shared, own) = (Path.Combine(folder, "shared"), Path.Combine(folder, "own"));
        Directory.CreateDirectory(shared);
        var planted = TorchRuntime.WritePatchedCopy(library, [shared], NoFurther);
        File.SetUnixFileMode(shared, (UnixFileMode)0b111_111_111);
        Assert.StartsWith(own, TorchRuntime.WritePatchedCopy(library, [shared], () => own), StringComparison.Ordinal);
        File.SetUnixFileMode(shared, (UnixFileMode)0b111_111_000);
        Assert.StartsWith(own, TorchRuntime.WritePatchedCopy(library, [shared, own], NoFurther), StringComparison.Ordinal);
        Assert.Throws<IOException>(() => TorchRuntime.WritePatchedCopy(library, [shared], NoFurther));
        File.SetUnixFileMode(shared, (UnixFileMode)0b111_101_101);
        Assert.Equal(planted, TorchRuntime.WritePatchedCopy(library, [shared], NoFurther));
    }

    [Fact]
    public void Folders_ArePrivate_IfNobodyElseCanChangeOrReplaceThem()
    {
        if (OperatingSystem.IsWindows()) return;
        Assert.True(FileStatus.IsPrivate(folder));
        Assert.False(FileStatus.IsPrivate("/tmp"));
        Assert.False(FileStatus.IsPrivate("/proc/self/fdinfo/none"));
        File.CreateSymbolicLink(Path.Combine(folder, "link"), "/tmp");
        Assert.False(FileStatus.IsPrivate(Path.Combine(folder, "link")));
    }

    private static string NoFurther() => throw new IOException("There is no further folder.");

    [Fact]
    public void Runtime_StartedTwice_IsStarted_AndSaysWhereFrom()
    {
        TorchRuntime.Initialize();
        TorchRuntime.Initialize();
        Assert.Equal(6f, torch.ones(2, 3).sum().ToSingle());
        Assert.True(TorchRuntime.LoadedFrom == "as shipped" || File.Exists(TorchRuntime.LoadedFrom), TorchRuntime.LoadedFrom);
    }

    [Fact]
    public void Precision_Auto_IsBf16OnlyWhereItIsFast()
    {
        Assert.Equal(torch.ScalarType.Float32, Processor.ScalarType(Precision.Fp32));
        Assert.Equal(torch.ScalarType.BFloat16, Processor.ScalarType(Precision.Bf16));
        Assert.Equal(Processor.HasFastBf16 ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32, Processor.ScalarType(Precision.Auto));
        Assert.Equal(Processor.HasFastBf16, Processor.Features.Contains("bf16"));
        if (!File.Exists("/proc/cpuinfo")) return;
        var flags = File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal))?.Split(' ') ?? [];
        Assert.Equal(flags.Contains("avx2"), Processor.Features.Contains("AVX2"));
        if (flags.Contains("avx512f")) Assert.Equal(flags.Contains("avx512_bf16") || flags.Contains("amx_bf16"), Processor.HasFastBf16);
    }
}
