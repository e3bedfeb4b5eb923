using System.Buffers.Binary;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;
using SkiaSharp;
using TorchSharp;

namespace Alebrije.Tests.Fuzzing;

/// <summary>A reader of untrusted files, and valid files to damage.</summary>
/// <param name="Name">Name of the reader.</param>
/// <param name="FileName">Name of the damaged file.</param>
/// <param name="Samples">Valid files.</param>
/// <param name="Read">Reads the file to the end; the result is discarded.</param>
/// <param name="Refusals">Allowed exceptions.</param>
/// <param name="MostBytes">Memory limit of one damaged file, in bytes.</param>
internal sealed record FuzzTarget(string Name, string FileName,
    Func<byte[][]> Samples, Action<string> Read, Type[] Refusals, long MostBytes)
{
    /// <summary>Corrects checksums after the damage, to reach the code behind them; used for every second file.</summary>
    public Func<byte[], byte[]> Mend { get; init; } = bytes => bytes;

    /// <summary>Longest message of a refusal.</summary>
    public int MostLetters { get; init; } = 2000;

    /// <summary>Changes that fit the format, used for half of the files; null of it takes the general damage.</summary>
    public Func<byte[], Random, byte[]?> Change { get; init; } = (_, _) => null;
}

/// <summary>Result of a fuzz run.</summary>
/// <param name="Read">Files that could still be read.</param>
/// <param name="Refused">Files rejected with an allowed exception.</param>
/// <param name="MostBytes">Largest managed allocation of a reader for one file, in bytes.</param>
internal sealed record FuzzResult(int Read, int Refused, long MostBytes);

/// <summary>
/// Damaged files for every reader: each must be read, or rejected with the reader's documented exception and a sentence, in bounded
/// memory. The suite runs it for seconds, the benchmark project for a chosen time (<c>fuzz --minutes M</c>).
/// </summary>
internal static class ReaderFuzz
{
    private const string TokenizerOf = "stable-unclip-euler/model/prior_tokenizer/";
    private const long Small = 64L << 20;

    /// <summary>Memory limit of an image: Pillow's limit of pixels, in four bytes each, and a working copy.</summary>
    private const long Picture = 2L << 30;

    /// <summary>Time limit of one file.</summary>
    private static readonly TimeSpan LongestFile = TimeSpan.FromSeconds(10);

    private static readonly long[] Lies = [-1, long.MaxValue, int.MaxValue, 1L << 40, 0, 99_999_999];

    /// <summary>All readers.</summary>
    /// <param name="fixtures">Folder of the tests' fixtures.</param>
    public static IReadOnlyList<FuzzTarget> Targets(string fixtures)
    {
        Type[] weights = [typeof(WeightsException)], pictures = [typeof(ImageFormatException)];
        return
        [
            new("safetensors", "x.safetensors", SafeTensors, path => ReadAll(new SafeTensorsFile(path)), weights, Small),
            new("pickle", "x.bin", () => [Fixture("clip-hf-text-projection/model/pytorch_model.bin")],
                path => ReadAll(new PickleFile(path)), weights, Small),
            new("pickle-stream", "x.bin", () => [Fixture("torch-legacy/weights.bin")],
                path => ReadAll(new PickleFile(path)), weights, Small),
            new("torchscript", "x.pt", () => [Fixture("clip-openai-vit-jit/model/model.pt")],
                path => ReadAll(new PickleFile(path)), weights, Small),
            new("config", "config.json",
                () => [Fixture("clip-hf-model-sharded/model/config.json"), Fixture("clip-hf-text-projection/model/config.json")],
                path => ConfigFile.Read<ClipConfig>(Path.GetDirectoryName(path)!), weights, Small),
            new("vocabulary", "vocab.json", () => [Fixture(TokenizerOf + "vocab.json")],
                path => Tokenizer(path, "merges.txt"), [typeof(InvalidDataException)], Small),
            new("merges", "merges.txt", () => [Fixture(TokenizerOf + "merges.txt")],
                path => Tokenizer(path, "vocab.json"), [typeof(InvalidDataException)], Small),
            new("sentencepiece", "x.model", () => [Fixture("unigram-text/unigram-identity.model"),
                WithRules("unigram-byte-fallback"), WithRules("xlmr-tokenizer")], Pieces, [typeof(InvalidDataException)], Small),
            new("png", "x.png", () => [Png(31, 20), Png(5, 40)], Picture_, pictures, Picture) { Mend = WithChecksums },
            new("jpeg", "x.jpg", () => [Fixture("pixels-clip/pictures/jpeg-0-RGB-64x48.jpg"),
                Fixture("pixels-clip/pictures/jpeg-1-RGB-61x75.jpg"), Fixture("pixels-clip/pictures/jpeg-3-CMYK-40x56.jpg")],
                Picture_, pictures, Picture),
            new("gif", "x.gif", () => [Fixture("pixels-clip/pictures/13-P-52x47.gif")], Picture_, pictures, Picture),
            new("bmp", "x.bmp", () => [Fixture("pixels-clip/pictures/12-RGB-57x43.bmp")], Picture_, pictures, Picture),
            new("webp", "x.webp", () => [WebP()], Picture_, pictures, Picture),
            new("npy", "x.npy", () => [Numbers()], path => Npy.Read(path), [typeof(InvalidDataException)], Small),
            new("embeddings-json", "x.json", () => [Embeddings(".json")], Embeddings_, [typeof(InvalidDataException)], Small),
            new("embeddings-parquet", "x.parquet", () => [Embeddings(".parquet")], Embeddings_, [typeof(InvalidDataException)], Small),
            new("csv", "x.csv", () => [Table()], Rows, [typeof(InvalidDataException)], Small),
            new("tar-shard", "x.tar", () => [Tar(TarEntryFormat.Pax), Tar(TarEntryFormat.Gnu)],
                Shard, [typeof(InvalidDataException)], Small),
            new("model-zip", "x.zip", () => [Zip()], path => ModelArchive.Open(path, CancellationToken.None),
                [typeof(HubException)], Small),
            new("model-tar", "x.tar", () => [Tar(TarEntryFormat.Gnu)], path => ModelArchive.Open(path, CancellationToken.None),
                [typeof(HubException)], Small),
            new("model-tgz", "x.tar.gz", () => [Packed(Tar(TarEntryFormat.Gnu))],
                path => ModelArchive.Open(path, CancellationToken.None), [typeof(HubException)], Small),
            .. ModelFuzz.Targets(fixtures), .. AdapterFuzz.Targets(fixtures),
        ];

        byte[] Fixture(string name) => File.ReadAllBytes(Path.Combine(fixtures, name));

        byte[] WithRules(string name) => [.. Fixture($"unigram-text/{name}.model"), .. Unpacked(Fixture("unigram-text/charsmap.gz"))];

        void Tokenizer(string path, string other)
        {
            var beside = Path.Combine(Path.GetDirectoryName(path)!, other);
            if (!File.Exists(beside)) File.WriteAllBytes(beside, Fixture(TokenizerOf + other));
            ClipTokenizer.Load(Path.GetDirectoryName(path)!);
        }
    }

    /// <summary>Damages files until a number of rounds or a time is reached.</summary>
    /// <param name="target">The reader.</param>
    /// <param name="seed">Seed of the damage.</param>
    /// <param name="rounds">Largest number of files.</param>
    /// <param name="time">Time limit.</param>
    /// <exception cref="FuzzException">A file was neither read nor rejected properly; it is kept, and the message names it.</exception>
    public static FuzzResult Run(FuzzTarget target, int seed, int rounds, TimeSpan time)
    {
        TorchRuntime.Initialize();
        var folder = Directory.CreateTempSubdirectory($"alebrije-fuzz-{target.Name}-").FullName;
        var path = Path.Combine(folder, target.FileName);
        var (random, samples, clock) = (new Random(seed), target.Samples(), Stopwatch.StartNew());
        var (read, refused, most) = (0, 0, 0L);
        for (var round = 0; round < rounds && clock.Elapsed < time; round++)
        {
            // The valid files come first: a reader that rejects everything proves nothing.
            var damaged = round < samples.Length ? samples[round] : Damage(target, samples[random.Next(samples.Length)], random);
            File.WriteAllBytes(path, round % 2 == 0 ? damaged : target.Mend(damaged));
            var before = GC.GetAllocatedBytesForCurrentThread();
            var (isRead, took) = Once(round);
            if (isRead) read++;
            else refused++;

            // A machine that stands still for a while is no hang of the reader.
            if (took > LongestFile)
            {
                var again = Once(round).Time;
                var slow = $"{target.Name}, round {round} of seed {seed}: {took}, then {again} for a file.";
                if (again > LongestFile) throw new FuzzException($"{slow} It is {path}.");
                Console.Error.WriteLine(slow);
            }

            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
            if (most > target.MostBytes)
                throw new FuzzException($"{target.Name}, round {round} of seed {seed}: {most >> 20} MiB asked for. The file is {path}.");
        }

        Directory.Delete(folder, recursive: true);
        return new FuzzResult(read, refused, most);

        (bool IsRead, TimeSpan Time) Once(int round)
        {
            var started = clock.Elapsed;
            try
            {
                target.Read(path);
                return (true, clock.Elapsed - started);
            }
            catch (Exception e) when (target.Refusals.Any(type => type.IsInstanceOfType(e)))
            {
                if (e.Message.Length > target.MostLetters) throw new FuzzException(
                    $"{target.Name}, round {round} of seed {seed}: a message of {e.Message.Length} characters. The file is {path}.", e);
                return (false, clock.Elapsed - started);
            }
            catch (Exception e)
            {
                throw new FuzzException($"{target.Name}, round {round} of seed {seed}: {e.GetType().Name}: {e.Message} The file is {path}.",
                    e);
            }
        }
    }

    private static byte[] Damage(FuzzTarget target, byte[] sound, Random random) =>
        (random.Next(2) == 0 ? target.Change(sound, random) : null) ?? Mutate(sound, random);

    private static byte[] Mutate(byte[] sound, Random random)
    {
        var bytes = (byte[])sound.Clone();
        switch (random.Next(6))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                for (var i = random.Next(1, 9); i > 0; i--) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                // Overwrites a number at a random position, half of the time in the first 64 bytes, where headers are.
                var span = random.Next(2) == 0 ? bytes.Length : Math.Min(bytes.Length, 64);
                var lie = Lies[random.Next(Lies.Length)];
                if (span > 8 && random.Next(2) == 0) BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(random.Next(span - 8)), lie);
                else if (span > 4) BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(random.Next(span - 4)), (int)lie);
                return bytes;
            case 3:
                // Digits of a JSON header, or opcodes of a pickle.
                for (var i = random.Next(1, 4); i > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            case 4:
                for (var i = random.Next(1, 4); i > 0; i--) bytes[random.Next(Math.Min(bytes.Length, 128))] = (byte)random.Next(256);
                return bytes;
            default:
                var at = random.Next(bytes.Length);
                return [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
        }
    }

    /// <summary>A PNG with correct chunk checksums.</summary>
    private static byte[] WithChecksums(byte[] png)
    {
        for (long at = 8; at + 12 <= png.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan((int)at));
            if (at + 12 + length > png.Length) break;
            var crc = uint.MaxValue;
            foreach (var value in png.AsSpan((int)at + 4, (int)length + 4))
            {
                crc ^= value;
                for (var bit = 0; bit < 8; bit++) crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xEDB88320;
            }

            BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan((int)(at + 8 + length)), ~crc);
            at += 12 + length;
        }

        return png;
    }

    private static void ReadAll(TensorSource source)
    {
        using (source)
            foreach (var name in source.Names)
                source.Read(name).Dispose();
    }

    private static void Picture_(string path) => PillowImage.Load(path).ToRgbOnWhite();

    private static void Embeddings_(string path) => EmbeddingFile.ReadAsync(path).GetAwaiter().GetResult();

    private static void Pieces(string path)
    {
        var tokenizer = UnigramTokenizer.LoadModel(path);
        foreach (var text in (string[])["a lion & \uFF21\u00B9, un le\u00f3n \u1100\u1161 \U0001F981", "  \u0001\t ", ""])
            tokenizer.Decode(tokenizer.Encode(text));
    }

    private static byte[][] SafeTensors()
    {
        using var weight = torch.arange(24, dtype: torch.ScalarType.Float32).reshape(4, 6);
        using var ids = torch.arange(10);
        return [Written(".safetensors", path => SafeTensorsWriter.Write(path,
            [new("encoder.weight", weight), new("encoder.position_ids", ids)], new Dictionary<string, string> { ["format"] = "pt" }))];
    }

    private static byte[] Png(int width, int height) => PngEncoder.Encode(Pattern(width, height).ToPillow());

    private static byte[] WebP()
    {
        using var bitmap = SKBitmap.Decode(Png(31, 20));
        using var data = bitmap.Encode(SKEncodedImageFormat.Webp, 90);
        return data.ToArray();
    }

    private static RgbImage Pattern(int width, int height) =>
        new(width, height, [.. Enumerable.Range(0, width * height * 3).Select(i => (byte)(i * 37 % 251))]);

    private static void Rows(string path)
    {
        using var table = CsvReader.Open(path);
        while (table.Read() is not null)
        {
        }
    }

    private static void Shard(string path)
    {
        using var pictures = new ShardedPictures([path], new PictureDataOptions { Path = path, HeldOut = 0 });
        foreach (var sample in pictures.InOrder())
        {
            sample.Captions(null);
            sample.Picture.Read(1 << 20);
        }
    }

    private static byte[] Table() =>
        Encoding.UTF8.GetBytes("image,caption\na.png,\"a \"\"big\"\" lion\"\nb.png,un león\n\"c,d.png\",\"two\nlines\"\n");

    private static byte[] Tar(TarEntryFormat format)
    {
        using var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, format, leaveOpen: true))
            foreach (var (name, content) in Files())
            {
                TarEntry entry = format == TarEntryFormat.Pax
                    ? new PaxTarEntry(TarEntryType.RegularFile, name) : new GnuTarEntry(TarEntryType.RegularFile, name);
                entry.DataStream = new MemoryStream(content);
                entry.ModificationTime = DateTimeOffset.UnixEpoch;
                tar.WriteEntry(entry);
            }

        return bytes.ToArray();
    }

    private static byte[] Zip()
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, content) in Files())
            {
                using var stream = zip.CreateEntry(name).Open();
                stream.Write(content);
            }

        return bytes.ToArray();
    }

    private static byte[] Packed(byte[] content)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(content);
        return bytes.ToArray();
    }

    private static byte[] Unpacked(byte[] packed)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress)) gzip.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static (string, byte[])[] Files() =>
        [("model/0001.png", Png(5, 4)), ("model/0001.txt", "a lion"u8.ToArray()),
            ("model/config.json", Encoding.UTF8.GetBytes("{\"architectures\": [\"CLIPModel\"]}")),
                (new string('n', 150) + ".json", "{\"caption\": \"a cat\"}"u8.ToArray())];

    private static byte[] Numbers() => Written(".npy", path => Npy.Write(path, [1f, 2, 3, 4, 5, 6], 2, 3));

    private static byte[] Embeddings(string ending) => Written(ending, path => EmbeddingFile.WriteAsync(
        path, new EmbeddingSet("mini", [new(EmbeddingKind.Image, "lion.png", [0.6f, 0.8f]), new(EmbeddingKind.Text, "a lion", [1f, 0f])]))
        .GetAwaiter().GetResult());

    private static byte[] Written(string ending, Action<string> write)
    {
        var path = Path.Combine(Path.GetTempPath(), $"alebrije-fuzz-{Guid.NewGuid():N}{ending}");
        try
        {
            write(path);
            return File.ReadAllBytes(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

/// <summary>A damaged file was neither read nor rejected properly.</summary>
internal sealed class FuzzException(string message, Exception? inner = null) : Exception(message, inner);
