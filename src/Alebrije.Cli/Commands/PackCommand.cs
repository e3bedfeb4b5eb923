using System.CommandLine;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije pack --clip DIR --autoencoder DIR --prior DIR --decoder DIR [--upsampler DIR] --out DIR</c>, or <c>pack --decoder DIR --out
/// MODEL</c>, <c>pack --upsampler DIR --out MODEL</c>
/// </summary>
internal static class PackCommand
{
    public static Command Create(Terminal terminal)
    {
        Option<string?>[] parts = [Run("--clip"), Run("--autoencoder"), Run("--prior"), Run("--decoder")];
        var others = new Option<string[]>("--other-priors")
        {
            HelpName = "DIR", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = true,
        };
        var upsampler = Run("--upsampler");
        var guess = Run("--guess");
        var folder = new Option<string>("--out") { Required = true };
        var command = new Command("pack");
        foreach (var part in parts) command.Add(part);
        command.Add(others);
        command.Add(upsampler);
        command.Add(guess);
        command.Add(folder);
        command.SetAction(parsed =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var runs = parts.Select(parsed.GetValue).ToArray();
            var priors = parsed.GetValue(others) ?? [];
            var missing = parts.Where((_, i) => runs[i] is null).Select(part => part.Name).ToArray();
            var enlarging = parsed.GetValue(upsampler);
            var decoder = missing.Length == parts.Length - 1 ? runs[^1] : null;
            if (decoder is null && (missing.Length == parts.Length ? priors.Length == 0 && enlarging is null : missing.Length > 0))
                throw new UsageException(words["pack.lacks", string.Join(", ", missing)]);
            if (decoder is null && missing.Length > 0 && parsed.GetValue(guess) is not null)
                throw new UsageException(words["pack.guess-alone"]);
            CommonOptions.StartTorch(parsed);
            var target = parsed.GetValue(folder)!;
            if (missing.Length == 0)
            {
                ModelPacker.Pack(new PackedRuns(runs[0]!, runs[1]!, runs[2]!,
                    runs[3]!) { OtherPriors = priors, Upsampler = enlarging, Guess = parsed.GetValue(guess) }, target);
            }
            else
            {
                if (decoder is not null) ModelPacker.PackDecoder(decoder, target, parsed.GetValue(guess));
                if (priors.Length > 0) ModelPacker.AddPriors(priors, target);
                if (enlarging is not null) ModelPacker.PackUpsampler(enlarging, target);
            }

            var bytes = Directory.GetFiles(target, "*.safetensors", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
            if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { folder = target, weights_bytes = bytes });
            else terminal.Say(words["pack.written", target, bytes / 1e6]);
            return 0;
        });
        return command;
    }

    private static Option<string?> Run(string name) => new(name);
}
