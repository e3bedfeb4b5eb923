using System.Diagnostics;
using Alebrije.Cli;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>Mistyped command lines, defaults of a user, completion, and options of all verbs.</summary>
public sealed class UsageTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-usage-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("no option --stepps here; did you mean --steps?", "imagine", "a cat", "--stepps", "10")]
    [InlineData("no option --sead here; did you mean --seed?", "imagine", "a cat", "--sead", "7", "--steps", "2")]
    [InlineData("no option --outt here; did you mean --out?", "similarity", "--texts", "a", "b", "--outt", "x.png")]
    [InlineData("no option --topp here; did you mean --top?", "classify", "--images", "x", "--labels", "a", "--topp", "1")]
    [InlineData("no option --wieghts here; did you mean --weights?", "mix", "a", "b", "--wieghts", "1", "2")]
    [InlineData("no option --promptfile here; did you mean --prompts-file?", "imagine", "--promptfile=x.txt")]
    [InlineData("no option -seed here; did you mean --seed?", "imagine", "a cat", "-seed", "3")]
    [InlineData("no option --Seed here; did you mean --seed?", "imagine", "a cat", "--Seed", "3")]
    [InlineData("no option --neg here; did you mean --negative?", "imagine", "a cat", "--neg", "rain")]
    [InlineData("no option --frobnicate here; write a text that begins with a dash after --", "imagine", "a cat", "--frobnicate")]
    [InlineData("no option -cat.png here", "embed", "--images", "-cat.png")]
    [InlineData("no option --orgin here; did you mean --origin?", "config", "show", "--orgin")]
    [InlineData("Aquí no hay ninguna opción --stepps; ¿querías decir --steps?", "imagine", "a cat", "--stepps", "10", "--lang", "es")]
    public async Task UnknownOption_IsRefused_WithTheNearest(string sentence, params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.Contains(sentence, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
        Assert.Equal(outcome.Refusal.Count(c => c is '.' or '?'), outcome.Refusal.Contains(".png", StringComparison.Ordinal) ? 2 : 1);
    }

    [Theory]
    [InlineData("--trace needs a value, but the option --lang follows; write --trace=--lang if that is the value.",
        "imagine", "a cat", "--trace", "--lang", "en")]
    [InlineData("--out needs a value, but the option --seed follows; write --out=--seed if that is the value.",
        "imagine", "a cat", "--out", "--seed", "3")]
    [InlineData("--top necesita un valor, pero le sigue la opción --json; escribe --top=--json si ese es el valor.",
        "classify", "--images", "x", "--labels", "a", "--lang", "es", "--top", "--json")]
    [InlineData("--trace needs a value.", "imagine", "a cat", "--lang", "en", "--trace")]
    [InlineData("--trace necesita un valor.", "imagine", "a cat", "--lang", "es", "--trace")]
    public async Task OptionWithoutItsValue_IsRefused_WhateverFollows(string sentence, params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.Equal((2, sentence), (outcome.Status, outcome.Refusal));
    }

    [Theory]
    [InlineData("--", "--a lion")]
    [InlineData("--", "--sead")]
    [InlineData("-5 degrees")]
    [InlineData("-5")]
    [InlineData("--negative=-rain", "a lion")]
    [InlineData("--negative=--seed", "a lion")]
    [InlineData("a lion", "--", "--out", "--seed")]
    public async Task TextThatBeginsWithADash_IsTakenWhereItCannotBeAnOption(params string[] args)
    {
        var outcome = await CommandLine.Run(["imagine", "--lang", "en", "--steps", "0", .. args]);
        Assert.Contains("number of steps is 0", outcome.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no verb 'imagin'; did you mean imagine?", "imagin", "a cat")]
    [InlineData("There is no verb 'tran'; did you mean train?", "tran", "clip", "--config", "x")]
    [InlineData("There is no verb 'cllip'; did you mean clip?", "train", "cllip")]
    [InlineData("No hay ninguna orden 'imagin'; ¿querías decir imagine?", "imagin", "--lang", "es")]
    public async Task UnknownVerb_IsOneSentence_WithTheNearest(string sentence, params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.Equal((2, sentence), (outcome.Status, outcome.Refusal));
    }

    [Theory]
    [InlineData("number of steps is 0", "imagine", "a", "--steps", "0")]
    [InlineData("The size 500 does not fit", "imagine", "a", "--size", "500")]
    [InlineData("scale of guidance is -1", "imagine", "a", "--guidance", "-1")]
    [InlineData("The prompt is empty", "imagine", " ")]
    [InlineData("The number of upsampler steps is 0", "upscale", "PICTURE", "--steps", "0")]
    [InlineData("number of steps is 0", "vary", "PICTURE", "--steps", "0")]
    public async Task WrongValue_IsWrongUsage(string sentence, params string[] args)
    {
        var picture = Path.Combine(folder, "p.png");
        new Preprocessing.Imaging.RgbImage(8, 8).SavePng(picture);
        var outcome = await CommandLine.Run([.. args.Select(arg => arg == "PICTURE" ? picture : arg)]);
        Assert.Contains(sentence, outcome.Refusal, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(2, outcome.Status);
    }

    [Fact]
    public async Task Seed_MinusOne_IsAnotherEachTime_AndShown()
    {
        string[] ask = ["imagine", "a lion", "--steps", "1", "--prior-steps",
            "2", "--model", TestModels.StableUnClip, "--seed", "-1", "--json", "--out", Path.Combine(folder, "a.png")];
        var seeds = new HashSet<long>();
        for (var i = 0; i < 3; i++) seeds.Add((await CommandLine.Run(ask)).Json.GetProperty("images")[0].GetProperty("seed").GetInt64());
        Assert.True(seeds.Count > 1);
        Assert.Contains("--seed takes a whole number of at least 0, or -1 for a random one, not '-2'",
            (await CommandLine.Run("world", "--seed", "-2")).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quiet_LeavesTheAnswerAlone()
    {
        var file = Path.Combine(folder, "a.png");
        var outcome = await CommandLine.Run("imagine", "a lion", "--steps",
            "1", "--prior-steps", "2", "--model", TestModels.StableUnClip, "--seed", "1", "--out", file, "--quiet");
        Assert.Equal((0, file + "\n", ""), (outcome.Status, outcome.Output, outcome.Error));
    }

    [Fact]
    public async Task Defaults_HoldWhereTheCommandLineIsSilent()
    {
        var file = Path.Combine(folder, "config.json");
        await File.WriteAllTextAsync(file, """{ "lang": "es", "seed": 5, "imagine": { "steps": 0, "seed": 6 } }""",
            TestContext.Current.CancellationToken);
        CommandLine.Defaults.Value = file;
        Assert.Contains("number of steps is 0", (await CommandLine.Run("imagine", "a")).Refusal, StringComparison.Ordinal);
        var json = (await CommandLine.Run("imagine", "a", "--steps",
            "1", "--prior-steps", "2", "--model", TestModels.StableUnClip, "--json", "--out", Path.Combine(folder, "a.png"))).Json;
        Assert.Equal(6, json.GetProperty("images")[0].GetProperty("seed").GetInt32());

        var shown = (await CommandLine.Run("config", "show", "--json", "--threads", "3")).Json;
        var settings = shown.GetProperty("settings").EnumerateArray().ToDictionary(s => s.GetProperty("name").GetString()!,
            s => (s.GetProperty("value").GetString(), s.GetProperty("origin").GetString()));
        Assert.Equal(("5", "file"), settings["seed"]);
        Assert.Equal(("0", "file"), settings["imagine steps"]);
        Assert.Equal(("3", "command line"), settings["threads"]);
        Assert.Equal(("mini", "default"), settings["model"]);
        Assert.Contains("imagine steps = 0  (file of defaults)", (await CommandLine.Run("config", "show", "--origin")).Output,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "imagin": {} }""", "there is no verb 'imagin'; did you mean imagine?")]
    [InlineData("""{ "sead": 3 }""", "'sead' is not an option of all verbs; did you mean seed?")]
    [InlineData("""{ "imagine": { "stepps": 3 } }""", "imagine has no option 'stepps'; did you mean steps?")]
    [InlineData("[]", "is not a JSON object of defaults")]
    [InlineData("{", "is not a JSON object of defaults")]
    [InlineData("""{ "seed": "many" }""", "--seed takes a whole number")]
    public async Task DefaultsThatDoNotFit_AreRefusedByTheirFile(string json, string sentence)
    {
        var file = Path.Combine(folder, "config.json");
        await File.WriteAllTextAsync(file, json, TestContext.Current.CancellationToken);
        CommandLine.Defaults.Value = file;
        var outcome = await CommandLine.Run("imagine", "a");
        Assert.StartsWith(file, outcome.Refusal, StringComparison.Ordinal);
        Assert.Contains(sentence, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }

    [Theory]
    [InlineData("alebrije ima", "imagine")]
    [InlineData("alebrije imagine --pri", "--prior", "--prior-steps")]
    [InlineData("alebrije imagine --prior ", "diffusion", "linear", "none")]
    [InlineData("alebrije imagine --model mi", "mini")]
    [InlineData("alebrije imagine --lang ", "en", "es")]
    public async Task Completion_OffersVerbsOptionsAndValues(string line, params string[] wanted)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        Assert.Equal(0, await CommandLineApp.RunAsync([$"[suggest:{line.Length}]", line],
            output, error, defaults: Path.Combine(folder, "none.json")));
        Assert.Empty(wanted.Except(output.ToString().ReplaceLineEndings("\n").Split('\n')));
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _alebrije alebrije")]
    [InlineData("zsh", "#compdef alebrije")]
    [InlineData("fish", "complete -c alebrije")]
    [InlineData("pwsh", "Register-ArgumentCompleter -Native -CommandName alebrije")]
    public async Task Completion_WritesAScriptForEachShell(string shell, string line) =>
        Assert.Contains(line, (await CommandLine.Run("completion", shell)).Output, StringComparison.Ordinal);

    [Fact]
    public async Task Completion_InBash_CompletesAVerb()
    {
        Assert.SkipUnless(File.Exists("/bin/bash"), "There is no bash here.");
        var script = Path.Combine(folder, "completion.sh");
        await File.WriteAllTextAsync(script, (await CommandLine.Run("completion", "bash")).Output + $"""

            alebrije() {"{"} "{Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli")}" "$@"; {"}"}
            COMP_LINE="alebrije ima"; COMP_POINT=12; COMP_WORDS=(alebrije ima); COMP_CWORD=1
            _alebrije; printf '%s\n' "${"{"}COMPREPLY[@]{"}"}"
            """, TestContext.Current.CancellationToken);
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", [script]) { RedirectStandardOutput = true })!;
        Assert.Equal("imagine", (await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).Trim());
    }

    [Theory]
    [InlineData(null, "passive")]
    [InlineData("active", "active")]
    public async Task OpenMpThreads_SleepWhileTheyWait_UnlessTheUserDecides(string? given, string wanted)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The variable is read in another way there.");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"),
            ["doctor", "--json"]) { RedirectStandardOutput = true };
        foreach (var name in new[] { "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME" }) start.Environment.Remove(name);
        if (given is not null) start.Environment["OMP_WAIT_POLICY"] = given;
        using var process = Process.Start(start)!;
        using var json = System.Text.Json.JsonDocument.Parse(
            await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        var details = json.RootElement.GetProperty("checks").EnumerateArray()
            .Single(check => check.GetProperty("name").GetString() == "libtorch").GetProperty("details");
        Assert.Equal(wanted, details.GetProperty("wait_policy").GetString());
    }

    [Fact]
    public async Task OneThread_WritesNoWarningsOfTheLibrary()
    {
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"),
            ["imagine", "a lion", "--threads", "1", "--guidance", "1", "--steps",
                "2", "--prior-steps", "2", "--seed", "1", "--precision", "fp32", "--lang", "en", "--out", Path.Combine(folder, "a.png")])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Contains("a.png  seed 1", await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
        Assert.Equal("", await error);
    }

    [Fact]
    public async Task Texts_ComeFromStandardInput_AsTextAndAsJsonLines()
    {
        var outcome = await CommandLine.RunWithInput(
            "{\"text\": \"a lion\"}\na cat\n", "embed", "--texts", "a dog", "-", "--model", TestModels.StableUnClip, "--json");
        Assert.Equal(["a dog", "a lion", "a cat"],
            outcome.Json.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("label").GetString()));
        var refused = await CommandLine.RunWithInput("{\"txt\": \"a lion\"}",
            "embed", "--texts-file", "-", "--model", TestModels.StableUnClip);
        Assert.Equal(2, refused.Status);
        Assert.Contains("is not a JSON object with a text", refused.Refusal, StringComparison.Ordinal);
    }
}
