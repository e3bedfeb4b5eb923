using System.CommandLine;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije pack --clip DIR --autoencoder DIR --prior DIR --decoder DIR --out DIR</c></summary>
internal static class PackCommand
{
    public static Command Create(Terminal terminal)
    {
        var clip = Run("--clip", "Folder of the CLIP run.");
        var autoencoder = Run("--autoencoder", "Folder of the autoencoder run.");
        var prior = Run("--prior", "Folder of the prior run.");
        var decoder = Run("--decoder", "Folder of the decoder run.");
        var folder = Run("--out", "Folder of the model.");
        var command = new Command("pack", "Puts trained parts together as a model folder in the published layout.") { clip, autoencoder, prior, decoder, folder };
        command.SetAction(parsed =>
        {
            CommonOptions.StartTorch(parsed);
            var target = parsed.GetValue(folder)!;
            ModelPacker.Pack(new PackedRuns(parsed.GetValue(clip)!, parsed.GetValue(autoencoder)!, parsed.GetValue(prior)!, parsed.GetValue(decoder)!), target);
            var bytes = Directory.GetFiles(target, "*.safetensors", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
            if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { folder = target, weights_bytes = bytes });
            else terminal.Say($"{target}: {bytes / 1e6:F1} MB of weights");
            return 0;
        });
        return command;
    }

    private static Option<string> Run(string name, string description) => new(name) { Description = description, Required = true };
}
