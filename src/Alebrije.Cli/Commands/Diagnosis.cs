using System.Globalization;
using System.Runtime.InteropServices;
using Alebrije.Catalog;
using Alebrije.Cli.TerminalImages;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;

namespace Alebrije.Cli.Commands;

/// <summary>State of one checked item.</summary>
internal enum FindingState
{
    /// <summary>In order.</summary>
    Ok,

    /// <summary>Missing, but not required.</summary>
    Missing,

    /// <summary>Failed and required.</summary>
    Failed,
}

/// <summary>Result of one check.</summary>
/// <param name="Name">Its name in JSON.</param>
/// <param name="Label">Its name in text output.</param>
/// <param name="State">Its state.</param>
/// <param name="Value">Finding in text output.</param>
/// <param name="Remedy">Remedy, or null.</param>
/// <param name="Details">Finding in JSON.</param>
internal sealed record Finding(string Name, string Label, FindingState State, string Value, string? Remedy = null, object? Details = null);

/// <summary>Checks the machine: processor, memory, libtorch, default model, fonts and world data, GPU.</summary>
internal static class Diagnosis
{
    public static IReadOnlyList<Finding> Make(Words words, int? threads, bool isTerminal) =>
        [OperatingSystem(words), Processors(words), Memory(words), Torch(words, threads),
            Model(words), Fonts(words), World(words), Gpu(words), Graphics(words, isTerminal)];

    private static Finding OperatingSystem(Words words)
    {
        var supported = RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => System.OperatingSystem.IsLinux() || System.OperatingSystem.IsWindows(),
            Architecture.Arm64 => System.OperatingSystem.IsMacOS(),
            _ => false,
        };
        return new Finding(
            "system", words["doctor.system"], supported ? FindingState.Ok : FindingState.Missing,
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}, .NET {Environment.Version}",
            supported ? null : words["doctor.system-unsupported"],
            new { Os = RuntimeInformation.OSDescription, Architecture = RuntimeInformation.OSArchitecture.ToString(),
                Dotnet = Environment.Version.ToString() });
    }

    private static Finding Processors(Words words)
    {
        var features = Processor.Features;
        var arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        var fast = arm || features.Contains("AVX2");
        var bf16 = Processor.HasFastBf16 ? words["doctor.bf16-fast"] : words["doctor.bf16-none"];
        return new Finding(
            "processor", words["doctor.processor"], fast ? FindingState.Ok : FindingState.Missing,
            $"{CpuName() ?? RuntimeInformation.ProcessArchitecture.ToString()}: {words.Count("doctor.cores", Environment.ProcessorCount)}, "
                + $"{(arm ? "NEON" : features.Count > 0 ? string.Join(", ", features) : "SSE")}; {bf16}",
            fast ? null : words["doctor.without-avx2"],
            new { Cores = Environment.ProcessorCount, features, Avx2 = features.Contains("AVX2"),
                Avx512 = features.Contains("AVX-512"), Bf16 = Processor.HasFastBf16 });
    }

    private static Finding Memory(Words words)
    {
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var free = AvailableMemory();
        const long Enough = 2_000_000_000;
        return new Finding(
            "memory", words["doctor.memory"], total >= Enough ? FindingState.Ok : FindingState.Missing,
            ModelsCommand.Size(total) + (free is { } f ? words["doctor.memory-free", ModelsCommand.Size(f)] : ""),
            total >= Enough ? null : words["doctor.memory-little"],
            new { TotalBytes = total, AvailableBytes = free });
    }

    private static Finding Torch(Words words, int? threads)
    {
        try
        {
            TorchRuntime.Initialize(threads);
            using var sum = torch.ones(2, 3).sum();
            if (sum.item<float>() != 6) throw new TorchRuntimeException(words["doctor.libtorch-wrong"]);
            var how = TorchRuntime.LoadedFrom == "as shipped" ? words["doctor.libtorch-as-shipped"]
                : words["doctor.libtorch-patched"];
            return new Finding(
                "libtorch", "libtorch", FindingState.Ok,
                $"{torch.__version__}, {words.Count("doctor.threads", torch.get_num_threads())}, {how}", null,
                new { Version = torch.__version__, Threads = torch.get_num_threads(),
                    TorchRuntime.WaitPolicy, TorchRuntime.LoadedFrom, Folder = TorchRuntime.NativeFolder });
        }
        catch (TorchRuntimeException e)
        {
            return new Finding("libtorch", "libtorch", FindingState.Failed,
                words["doctor.libtorch-fails"], e.Message, new { Folder = TorchRuntime.NativeFolder });
        }
    }

    private static Finding Model(Words words)
    {
        var catalog = ModelCatalog.Create();
        var found = catalog.List().FirstOrDefault(model => model.Name == ModelCatalog.DefaultName);
        return found is not null
            ? new Finding("model", words["doctor.default-model"], FindingState.Ok,
                $"{found.Name}, {ModelsCommand.Size(found.Bytes)}, {found.Folder}",
                null, new { found.Name, Path = found.Folder, found.Bytes })
            : new Finding("model", words["doctor.default-model"], FindingState.Missing,
                words["doctor.model-not-found"], words["doctor.model-remedy", ModelCatalog.DefaultName, ModelCatalog.Variable],
                new { Searched = catalog.Folders });
    }

    private static Finding Fonts(Words words)
    {
        // Drawing a label tests the built-in letters and the drawing library.
        try
        {
            PictureSheet.Draw([new RgbImage(8, 8)], ["Ñandú"]);
            return new Finding("fonts", words["doctor.letters"], FindingState.Ok, words["doctor.letters-built-in"]);
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or InvalidOperationException)
        {
            return new Finding("fonts", words["doctor.letters"], FindingState.Missing,
                words["doctor.letters-fail"], words["doctor.letters-remedy", e.GetBaseException().Message.Split('\n')[0].TrimEnd('.')]);
        }
    }

    private static Finding World(Words words)
    {
        var files = new WorldFiles();
        var missing = files.Missing();
        var label = words["doctor.world-data"];
        if (missing.Count == 0)
            return new Finding("world", label, FindingState.Ok, words["doctor.world-complete"],
                null, new { files.Font, files.Cldr, files.EmojiTest });
        var packages = string.Join(' ', missing.Select(file => file.Package).Distinct().Order(StringComparer.Ordinal));
        return new Finding("world", label, FindingState.Missing,
            words["doctor.world-missing", string.Join(", ", missing.Select(m => m.Path))], words["doctor.world-remedy", packages],
            new { Missing = missing.Select(m => new { m.Path, m.Package }) });
    }

    private static Finding Gpu(Words words)
    {
        var cards = GraphicsCards();
        return cards.Count == 0
            ? new Finding("gpu", "GPU", FindingState.Ok, words["doctor.gpu-none"], null, new { Cards = cards })
            : new Finding("gpu", "GPU", FindingState.Ok, words["doctor.gpu-unused", string.Join(", ", cards)], null, new { Cards = cards });
    }

    private static Finding Graphics(Words words, bool isTerminal)
    {
        var protocol = TerminalDetection.Detect(isTerminal);
        var how = protocol switch
        {
            TerminalProtocol.None => words["doctor.pictures-none"],
            TerminalProtocol.HalfBlocks => words["doctor.pictures-half-blocks"],
            _ => words["doctor.pictures-protocol", protocol],
        };
        return new Finding("terminal", "terminal", FindingState.Ok, how, null, new { Protocol = protocol.ToString().ToLowerInvariant() });
    }

    private static string? CpuName() => FirstField("/proc/cpuinfo", "model name")
        ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");

    private static long? AvailableMemory() =>
        FirstField("/proc/meminfo", "MemAvailable")?.Split(' ')[0] is { } kilobytes
        && long.TryParse(kilobytes, CultureInfo.InvariantCulture, out var value) ? value * 1024 : null;

    /// <summary>Value of "name : value" in a table of Linux; null elsewhere.</summary>
    private static string? FirstField(string file, string name)
    {
        if (!File.Exists(file)) return null;
        var line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }

    /// <summary>Graphics cards that Linux lists: by name if the driver has it, else by maker.</summary>
    private static List<string> GraphicsCards()
    {
        const string Nvidia = "/proc/driver/nvidia/gpus", Cards = "/sys/class/drm";
        var named = Directory.Exists(Nvidia)
            ? Directory.EnumerateDirectories(Nvidia).Select(card => FirstField(Path.Combine(card, "information"), "Model") ?? "NVIDIA")
            .ToList() : [];
        if (named.Count > 0 || !Directory.Exists(Cards)) return named;
        return [.. Directory.EnumerateDirectories(Cards, "card?").Select(card => Path.Combine(card, "device", "vendor")).Where(File.Exists)
            .Select(vendor => File.ReadAllText(vendor).Trim() switch { "0x10de" => "NVIDIA",
                "0x1002" => "AMD", "0x8086" => "Intel", _ => null }).OfType<string>()];
    }
}
