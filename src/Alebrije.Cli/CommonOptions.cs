using System.CommandLine;
using Alebrije.Tensors;

namespace Alebrije.Cli;

/// <summary>Options that every verb takes.</summary>
internal static class CommonOptions
{
    public static readonly Option<string> Model = new("--model") { Description = "Model: a name or a folder.", DefaultValueFactory = _ => "mini", Recursive = true };
    public static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of everything random; the same seed gives the same result.", Recursive = true };
    public static readonly Option<string> Device = new("--device") { Description = "auto, cpu or cuda[:n].", DefaultValueFactory = _ => "auto", Recursive = true };
    public static readonly Option<string> PrecisionName = new("--precision") { Description = "auto, fp32 or bf16.", DefaultValueFactory = _ => "auto", Recursive = true };
    public static readonly Option<int?> Threads = new("--threads") { Description = "Threads for tensor operations.", Recursive = true };
    public static readonly Option<string?> Language = new("--lang") { Description = "Language of messages: en or es.", Recursive = true };
    public static readonly Option<bool> Json = new("--json") { Description = "One JSON document on standard output.", Recursive = true };
    public static readonly Option<bool> Debug = new("--debug") { Description = "Show the whole error when something fails.", Recursive = true };

    private static readonly string[] LocaleVariables = ["LC_ALL", "LC_MESSAGES", "LANG"];

    static CommonOptions()
    {
        PrecisionName.AcceptOnlyFromAmong("auto", "fp32", "bf16");
        Language.AcceptOnlyFromAmong("en", "es");
        Threads.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > 1024) result.AddError("--threads takes a whole number from 1 to 1024.");
        });
        Device.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<string>();
            if (value is not ("auto" or "cpu" or "cuda") && !(value?.StartsWith("cuda:", StringComparison.Ordinal) == true && int.TryParse(value[5..], out var n) && n >= 0))
                result.AddError($"--device takes auto, cpu or cuda[:n], not '{value}'.");
        });
    }

    public static IReadOnlyList<Option> All => [Model, Seed, Device, PrecisionName, Threads, Language, Json, Debug];

    /// <summary>Starts libtorch as the options say.</summary>
    /// <exception cref="UsageException">A device was asked for that this build or machine lacks.</exception>
    public static void StartTorch(ParseResult parsed)
    {
        TorchRuntime.Initialize(parsed.GetValue(Threads));
        var device = parsed.GetValue(Device);
        if (device is not null && device.StartsWith("cuda", StringComparison.Ordinal))
            throw new UsageException($"--device {device}: this build carries libtorch for the processor only; use --device cpu or auto.");
    }

    /// <summary>The precision that was asked for.</summary>
    public static Precision PrecisionOf(ParseResult parsed) => parsed.GetValue(PrecisionName) switch
    {
        "fp32" => Precision.Fp32,
        "bf16" => Precision.Bf16,
        _ => Precision.Auto,
    };

    /// <summary>Language of messages: the option, else the environment's, else English.</summary>
    public static string LanguageOf(ParseResult parsed)
    {
        if (parsed.GetValue(Language) is { } chosen) return chosen;
        var name = LocaleVariables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(v => !string.IsNullOrEmpty(v));
        return name?.StartsWith("es", StringComparison.OrdinalIgnoreCase) == true ? "es" : "en";
    }
}
