using System.CommandLine;
using Alebrije.Catalog;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije config show [--origin]</c>: the effective settings, and the origin of each.</summary>
internal static class ConfigCommand
{
    /// <summary>Environment variables for the location of files and the use of the terminal.</summary>
    private static readonly string[] Variables =
        [ModelCatalog.Variable, PictureIndex.Variable, "ALEBRIJE_EMOJI_FONT", "ALEBRIJE_CLDR", "ALEBRIJE_EMOJI_TEST",
            "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "OMP_NUM_THREADS",
                "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "NO_COLOR"];

    public static Command Create(Terminal terminal, string defaults)
    {
        var origin = new Option<bool>("--origin");
        var show = new Command("show") { origin };
        show.SetAction(parsed => Show(parsed, terminal, defaults, parsed.GetValue(origin)));
        return new Command("config") { show };
    }

    private static void Show(ParseResult parsed, Terminal terminal, string defaults, bool origin)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var file = UserDefaults.Read(defaults, (RootCommand)parsed.RootCommandResult.Command, words);
        var settings = Settings(parsed, file).ToArray();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { file = file.Path, exists = File.Exists(file.Path),
                settings = settings.Select(setting => new { setting.Name, setting.Value, setting.Origin }) });
            return;
        }

        terminal.Say(File.Exists(file.Path) ? file.Path : words["config.does-not-exist", file.Path]);
        foreach (var (name, value, from) in settings)
            terminal.Say(origin ? $"{name} = {value}  ({OriginName(from, words)})" : $"{name} = {value}");
    }

    private static IEnumerable<(string Name, string Value, string Origin)> Settings(ParseResult parsed, UserDefaults file)
    {
        foreach (var option in CommonOptions.All)
        {
            var name = option.Name[2..];
            if (parsed.GetResult(option) is { Implicit: false } given)
                yield return (name, given.Tokens.Count == 0 ? "true" : string.Join(' ', given.Tokens), "command line");
            else if (file.Values.TryGetValue(("", name), out var texts)) yield return (name, string.Join(' ', texts), "file");
            else if (option == CommonOptions.Language) yield return (name, CommonOptions.LanguageOf(parsed), "environment");
            else if (option.HasDefaultValue && option.GetDefaultValue() is { } value) yield return (name, value.ToString()!, "default");
        }

        foreach (var ((verb, name), texts) in file.Values.Where(value => value.Key.Verb.Length > 0))
            yield return ($"{verb} {name}", string.Join(' ', texts), "file");
        foreach (var variable in Variables)
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value) yield return (variable, value, "environment");
    }

    private static string OriginName(string origin, Words words) => origin switch
    {
        "file" => words["config.from-file"],
        "environment" => words["config.from-environment"],
        "command line" => words["config.from-command-line"],
        _ => words["config.from-default"],
    };
}
