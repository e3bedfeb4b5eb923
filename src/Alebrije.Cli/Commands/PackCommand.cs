using System.CommandLine;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije pack --clip DIR --autoencoder DIR --prior DIR --decoder DIR [--upsampler DIR] --out DIR</c>, or <c>pack --upsampler DIR --out MODEL</c></summary>
internal static class PackCommand
{
    public static Command Create(Terminal terminal)
    {
        var clip = Run("--clip", "Folder of the CLIP run.");
        var autoencoder = Run("--autoencoder", "Folder of the autoencoder run.");
        var prior = Run("--prior", "Folder of the prior run.");
        var decoder = Run("--decoder", "Folder of the decoder run.");
        var upsampler = Run("--upsampler", "Folder of the upsampler run; alone, it is added to the model that --out names.");
        var folder = new Option<string>("--out") { Description = "Folder of the model.", Required = true };
        var command = new Command("pack", "Puts trained parts together as a model folder in the published layout.") { clip, autoencoder, prior, decoder, upsampler, folder };
        command.SetAction(parsed =>
        {
            CommonOptions.StartTorch(parsed);
            var (target, enlarging) = (parsed.GetValue(folder)!, parsed.GetValue(upsampler));
            Option<string?>[] parts = [clip, autoencoder, prior, decoder];
            var missing = parts.Where(part => parsed.GetValue(part) is null).Select(part => part.Name).ToArray();
            if (missing.Length == parts.Length && enlarging is not null)
            {
                ModelPacker.PackUpsampler(enlarging, target);
            }
            else
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                if (missing.Length > 0)
                    throw new UsageException(words.In($"A model needs all four parts: {string.Join(", ", missing)} is missing.", $"Un modelo necesita las cuatro partes: falta {string.Join(", ", missing)}."));
                ModelPacker.Pack(
                    new PackedRuns(parsed.GetValue(clip)!, parsed.GetValue(autoencoder)!, parsed.GetValue(prior)!, parsed.GetValue(decoder)!) { Upsampler = enlarging }, target);
            }

            var bytes = Directory.GetFiles(target, "*.safetensors", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
            if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { folder = target, weights_bytes = bytes });
            else terminal.Say($"{target}: {bytes / 1e6:F1} MB of weights");
            return 0;
        });
        return command;
    }

    private static Option<string?> Run(string name, string description) => new(name) { Description = description };
}
