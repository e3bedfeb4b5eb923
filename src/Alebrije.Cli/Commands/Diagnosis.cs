using System.Globalization;
using System.Runtime.InteropServices;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;

namespace Alebrije.Cli.Commands;

/// <summary>How one thing stands.</summary>
internal enum FindingState
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Not there; something can be done without it.</summary>
    Missing,

    /// <summary>Nothing can be done without it.</summary>
    Failed,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">Its name in JSON.</param>
/// <param name="Label">Its name for people.</param>
/// <param name="State">How it stands.</param>
/// <param name="Value">What was found, for people.</param>
/// <param name="Remedy">What to do, or null.</param>
/// <param name="Details">What was found, for programs.</param>
internal sealed record Finding(string Name, string Label, FindingState State, string Value, string? Remedy = null, object? Details = null);

/// <summary>Looks at the machine: processor, memory, libtorch, default model, fonts and world data, GPU.</summary>
internal static class Diagnosis
{
    public static IReadOnlyList<Finding> Make(Words words, int? threads, bool isTerminal) =>
        [OperatingSystem(words), Processors(words), Memory(words), Torch(words, threads), Model(words), Fonts(words), World(words), Gpu(words), Graphics(words, isTerminal)];

    private static Finding OperatingSystem(Words words)
    {
        var supported = RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => System.OperatingSystem.IsLinux() || System.OperatingSystem.IsWindows(),
            Architecture.Arm64 => System.OperatingSystem.IsMacOS(),
            _ => false,
        };
        return new Finding(
            "system", words.In("system", "sistema"), supported ? FindingState.Ok : FindingState.Missing,
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}, .NET {Environment.Version}",
            supported ? null : words.In(
                "libtorch has packages for x86-64 Linux, x86-64 Windows and Apple silicon only; use one of those.",
                "libtorch solo tiene paquetes para Linux x86-64, Windows x86-64 y Apple silicon; usa uno de ellos."),
            new { Os = RuntimeInformation.OSDescription, Architecture = RuntimeInformation.OSArchitecture.ToString(), Dotnet = Environment.Version.ToString() });
    }

    private static Finding Processors(Words words)
    {
        var features = Processor.Features;
        var arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        var fast = arm || features.Contains("AVX2");
        var bf16 = Processor.HasFastBf16 ? words.In("bf16 is fast", "bf16 es rápido") : words.In("no bf16, float32 is used", "sin bf16, se usa float32");
        return new Finding(
            "processor", words.In("processor", "procesador"), fast ? FindingState.Ok : FindingState.Missing,
            $"{CpuName() ?? RuntimeInformation.ProcessArchitecture.ToString()}: {Environment.ProcessorCount} {words.In("cores", "núcleos")}, {(arm ? "NEON" : features.Count > 0 ? string.Join(", ", features) : "SSE")}; {bf16}",
            fast ? null : words.In("Without AVX2 everything is several times slower; use a newer machine for training.", "Sin AVX2 todo es varias veces más lento; para entrenar usa una máquina más nueva."),
            new { Cores = Environment.ProcessorCount, features, Avx2 = features.Contains("AVX2"), Avx512 = features.Contains("AVX-512"), Bf16 = Processor.HasFastBf16 });
    }

    private static Finding Memory(Words words)
    {
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var free = AvailableMemory();
        const long Enough = 2_000_000_000;
        return new Finding(
            "memory", words.In("memory", "memoria"), total >= Enough ? FindingState.Ok : FindingState.Missing,
            ModelsCommand.Size(total) + (free is { } f ? words.In($", {ModelsCommand.Size(f)} free", $", {ModelsCommand.Size(f)} libres") : ""),
            total >= Enough ? null : words.In("Training needs about 2 GB; pictures from the default model need less.", "Entrenar necesita unos 2 GB; las imágenes del modelo por defecto, menos."),
            new { TotalBytes = total, AvailableBytes = free });
    }

    private static Finding Torch(Words words, int? threads)
    {
        try
        {
            TorchRuntime.Initialize(threads);
            using var sum = torch.ones(2, 3).sum();
            if (sum.item<float>() != 6) throw new TorchRuntimeException("libtorch starts, but adds up six ones to something else than 6. Build the project again so that its native package is restored.");
            var how = TorchRuntime.LoadedFrom == "as shipped" ? words.In("loaded as shipped", "cargado tal como viene")
                : words.In("loaded with a patched shim, because the system's C++ library is older", "cargado con un adaptador corregido, porque la biblioteca de C++ del sistema es más antigua");
            return new Finding(
                "libtorch", "libtorch", FindingState.Ok, $"{torch.__version__}, {(torch.get_num_threads() == 1 ? words.In("1 thread", "1 hilo") : words.In($"{torch.get_num_threads()} threads", $"{torch.get_num_threads()} hilos"))}, {how}", null,
                new { Version = torch.__version__, Threads = torch.get_num_threads(), TorchRuntime.WaitPolicy, TorchRuntime.LoadedFrom, Folder = TorchRuntime.NativeFolder });
        }
        catch (TorchRuntimeException e)
        {
            return new Finding("libtorch", "libtorch", FindingState.Failed, words.In("does not start", "no arranca"), e.Message, new { Folder = TorchRuntime.NativeFolder });
        }
    }

    private static Finding Model(Words words)
    {
        var catalog = ModelCatalog.Create();
        var found = catalog.List().FirstOrDefault(model => model.Name == ModelCatalog.DefaultName);
        return found is not null
            ? new Finding("model", words.In("default model", "modelo por defecto"), FindingState.Ok, $"{found.Name}, {ModelsCommand.Size(found.Bytes)}, {found.Folder}", null, new { found.Name, Path = found.Folder, found.Bytes })
            : new Finding("model", words.In("default model", "modelo por defecto"), FindingState.Missing, words.In("not found", "no encontrado"), words.In(
                $"'{ModelCatalog.DefaultName}' belongs into models/ beside the program or in the clone; check the clone out again, name its folder with {ModelCatalog.Variable}, or use --model FOLDER.",
                $"'{ModelCatalog.DefaultName}' debe estar en models/ junto al programa o en el repositorio clonado; clónalo de nuevo, indica su carpeta con {ModelCatalog.Variable} o usa --model CARPETA."),
                new { Searched = catalog.Folders });
    }

    private static Finding Fonts(Words words)
    {
        // Drawing a label proves that the built-in letters and the drawing library work.
        try
        {
            PictureSheet.Draw([new RgbImage(8, 8)], ["Ñandú"]);
            return new Finding("fonts", words.In("letters", "letras"), FindingState.Ok, words.In("DejaVu Sans, built in", "DejaVu Sans, incluida"));
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or InvalidOperationException)
        {
            return new Finding("fonts", words.In("letters", "letras"), FindingState.Missing, words.In("nothing can be drawn", "no se puede dibujar"), words.In(
                $"The drawing library SkiaSharp does not load ({e.GetBaseException().Message.Split('\n')[0].TrimEnd('.')}); build the project again so that its native package is restored.",
                $"La biblioteca de dibujo SkiaSharp no se carga ({e.GetBaseException().Message.Split('\n')[0].TrimEnd('.')}); compila el proyecto de nuevo para restaurar su paquete nativo."));
        }
    }

    private static Finding World(Words words)
    {
        var files = new WorldFiles();
        var missing = files.Missing();
        var label = words.In("world data", "datos del mundo");
        if (missing.Count == 0)
            return new Finding("world", label, FindingState.Ok, words.In("emoji font, CLDR names, Unicode list", "fuente de emojis, nombres de CLDR, lista de Unicode"), null, new { files.Font, files.Cldr, files.EmojiTest });
        var packages = string.Join(' ', missing.Select(file => file.Package).Distinct().Order(StringComparer.Ordinal));
        return new Finding("world", label, FindingState.Missing, words.In($"missing: {string.Join(", ", missing.Select(m => m.Path))}", $"falta: {string.Join(", ", missing.Select(m => m.Path))}"), words.In(
            $"Needed for world, train and evaluate only: apt-get install {packages}; elsewhere set ALEBRIJE_EMOJI_FONT, ALEBRIJE_CLDR and ALEBRIJE_EMOJI_TEST.",
            $"Solo hace falta para world, train y evaluate: apt-get install {packages}; en otros sistemas define ALEBRIJE_EMOJI_FONT, ALEBRIJE_CLDR y ALEBRIJE_EMOJI_TEST."),
            new { Missing = missing.Select(m => new { m.Path, m.Package }) });
    }

    private static Finding Gpu(Words words)
    {
        var cards = GraphicsCards();
        return cards.Count == 0
            ? new Finding("gpu", "GPU", FindingState.Ok, words.In("none found, none needed: this build computes on the processor", "ninguna, ni hace falta: esta versión calcula en el procesador"), null, new { Cards = cards })
            : new Finding("gpu", "GPU", FindingState.Ok, words.In($"{string.Join(", ", cards)}; not used, this build computes on the processor", $"{string.Join(", ", cards)}; no se usa, esta versión calcula en el procesador"), null, new { Cards = cards });
    }

    private static Finding Graphics(Words words, bool isTerminal)
    {
        var protocol = TerminalDetection.Detect(isTerminal);
        var how = protocol switch
        {
            TerminalProtocol.None => words.In("no pictures here (not a terminal with colours)", "aquí no se muestran imágenes (no es un terminal en color)"),
            TerminalProtocol.HalfBlocks => words.In("pictures as coloured half blocks", "imágenes como medios bloques de color"),
            _ => words.In($"pictures by {protocol}", $"imágenes mediante {protocol}"),
        };
        return new Finding("terminal", "terminal", FindingState.Ok, how, null, new { Protocol = protocol.ToString().ToLowerInvariant() });
    }

    private static string? CpuName() => FirstField("/proc/cpuinfo", "model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");

    private static long? AvailableMemory() =>
        FirstField("/proc/meminfo", "MemAvailable")?.Split(' ')[0] is { } kilobytes && long.TryParse(kilobytes, CultureInfo.InvariantCulture, out var value) ? value * 1024 : null;

    /// <summary>Value of "name : value" in one of Linux's tables; null elsewhere.</summary>
    private static string? FirstField(string file, string name)
    {
        if (!File.Exists(file)) return null;
        var line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }

    /// <summary>Graphics cards that Linux lists: by name where the driver says it, else by maker.</summary>
    private static List<string> GraphicsCards()
    {
        const string Nvidia = "/proc/driver/nvidia/gpus", Cards = "/sys/class/drm";
        var named = Directory.Exists(Nvidia)
            ? Directory.EnumerateDirectories(Nvidia).Select(card => FirstField(Path.Combine(card, "information"), "Model") ?? "NVIDIA").ToList() : [];
        if (named.Count > 0 || !Directory.Exists(Cards)) return named;
        return [.. Directory.EnumerateDirectories(Cards, "card?").Select(card => Path.Combine(card, "device", "vendor")).Where(File.Exists)
            .Select(vendor => File.ReadAllText(vendor).Trim() switch { "0x10de" => "NVIDIA", "0x1002" => "AMD", "0x8086" => "Intel", _ => null }).OfType<string>()];
    }
}
