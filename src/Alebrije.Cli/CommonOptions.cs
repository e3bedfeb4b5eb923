using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Tensors;

namespace Alebrije.Cli;

/// <summary>Options of all verbs.</summary>
internal static class CommonOptions
{
    public static readonly Option<string> Model = new("--model") { HelpName = "NAME|PATH",
        DefaultValueFactory = _ => "mini", Recursive = true };
    public static readonly Option<ulong?> Seed = new("--seed") { HelpName = "N", Recursive = true, CustomParser = SeedOf };
    public static readonly Option<string> Device = new("--device") { HelpName = "auto|cpu|cuda[:n]",
        DefaultValueFactory = _ => "auto", Recursive = true };
    public static readonly Option<string> PrecisionName = new("--precision") { HelpName = "auto|fp32|bf16|int8",
        DefaultValueFactory = _ => "auto", Recursive = true };
    public static readonly Option<int?> Threads = new("--threads") { HelpName = "N", Recursive = true };
    public static readonly Option<string?> Language = new("--lang") { HelpName = "en|es", Recursive = true };
    public static readonly Option<bool> Json = new("--json") { Recursive = true };
    public static readonly Option<bool> Quiet = new("--quiet") { Recursive = true };
    public static readonly Option<bool> Debug = new("--debug") { Recursive = true };

    private static readonly string[] LocaleVariables = ["LC_ALL", "LC_MESSAGES", "LANG"];

    static CommonOptions()
    {
        Model.CompletionSources.Add(_ => ModelCatalog.Create().List().Select(model => new CompletionItem(model.Name)));
        Device.CompletionSources.Add("auto", "cpu", "cuda");
        PrecisionName.AcceptOnlyFromAmong("auto", "fp32", "bf16", "int8");
        Language.AcceptOnlyFromAmong("en", "es");
        Threads.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > TorchRuntime.MostThreads)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--threads", 1, TorchRuntime.MostThreads]);
        });
        Device.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<string>();
            if (value is not ("auto" or "cpu" or "cuda")
                && !(value?.StartsWith("cuda:", StringComparison.Ordinal) == true && int.TryParse(value[5..], out var n) && n >= 0))
                result.AddError(Words.Of(result)["usage.device-unknown", value]);
        });
    }

    public static IReadOnlyList<Option> All => [Model, Seed, Device, PrecisionName, Threads, Language, Json, Quiet, Debug];

    /// <summary>Starts libtorch with the options.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="threads">Default number of threads; null leaves it to libtorch.</param>
    /// <exception cref="UsageException">This build or machine lacks the device.</exception>
    public static void StartTorch(ParseResult parsed, int? threads = null)
    {
        TorchRuntime.Initialize(parsed.GetValue(Threads) ?? threads);
        var device = parsed.GetValue(Device);
        if (device is not null && device.StartsWith("cuda", StringComparison.Ordinal))
            throw new UsageException(new Words(LanguageOf(parsed))["usage.device-not-built-in", device]);
    }

    /// <summary>Precision of the command line.</summary>
    public static Precision PrecisionOf(ParseResult parsed) => parsed.GetValue(PrecisionName) switch
    {
        "fp32" => Precision.Fp32,
        "bf16" => Precision.Bf16,
        "int8" => Precision.Int8,
        _ => Precision.Auto,
    };

    /// <summary>Language of messages before parsing: that of <see cref="LanguageOf(ParseResult)"/> if the option is valid.</summary>
    /// <param name="args">The command line.</param>
    public static string LanguageOf(IReadOnlyList<string> args)
    {
        for (var i = 0; i < args.Count && args[i] != "--"; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var left, var right]
                ? (left, right) : (args[i], i + 1 < args.Count ? args[i + 1] : "");
            if (name == Language.Name && value is "en" or "es") return value;
        }

        return LanguageOfEnvironment();
    }

    /// <summary>Language of messages: the option, else the environment's, else English.</summary>
    public static string LanguageOf(ParseResult parsed) => parsed.GetValue(Language) ?? LanguageOfEnvironment();

    /// <summary>Language of messages while a value of the command line is checked.</summary>
    public static string LanguageOf(System.CommandLine.Parsing.SymbolResult result) => result.GetValue(Language) ?? LanguageOfEnvironment();

    private static string LanguageOfEnvironment()
    {
        var name = LocaleVariables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(v => !string.IsNullOrEmpty(v));
        return name?.StartsWith("es", StringComparison.OrdinalIgnoreCase) == true ? "es" : "en";
    }

    private static ulong? SeedOf(System.CommandLine.Parsing.ArgumentResult result)
    {
        var given = result.Tokens[0].Value;
        if (given == "-1") return (ulong)Random.Shared.Next();
        if (ulong.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)) return seed;
        result.AddError(Words.Of(result)["usage.seed-no-number", given]);
        return null;
    }
}
