using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije train probe --images DIR --out F [--validation DIR] [--test DIR]</c></summary>
internal static class TrainProbeCommand
{
    public static Command Create(Terminal terminal)
    {
        var images = new Option<string>("--images") { HelpName = "DIR", Required = true };
        var validation = new Option<string?>("--validation") { HelpName = "DIR" };
        var test = new Option<string?>("--test") { HelpName = "DIR" };
        var templates = Templates.Option();
        var strict = PictureOptions.StrictOption();
        var file = OutputFile.Option(".safetensors");
        file.Required = true;
        var command = new Command("probe")
        {
            images, validation, test, templates, strict, file,
        };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var path = parsed.GetValue(file)!;
                OutputFile.Check(path, words);
                var options = new ProbeOptions(parsed.GetValue(images)!)
                {
                    Validation = parsed.GetValue(validation), Test = parsed.GetValue(test),
                    Templates = Templates.Find(parsed.GetValue(templates), words) ?? ZeroShotSet.Plain,
                    MaxBadShare = 1,
                    OnProgress = (_, done, of) =>
                        terminal.Progress(of > 0 ? words["progress.embedding-images", done, of] : words["train.trying-penalties", done]),
                };
                var folder = ModelChoice.Find(parsed);
                CommonOptions.StartTorch(parsed);
                terminal.Progress(words["progress.loading-model"]);
                using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
                var result = ProbeTrainer.Run(model, options, cancellation);
                terminal.CloseLine();
                var skipped = new SkippedPictures(words, upright: true, parsed.GetValue(strict));
                skipped.Add(result.Skipped, [options.Images, options.Validation, options.Test]);
                result.Head.Save(path);
                var figures = new
                {
                    model = model.Name, labels = result.Head.Labels,
                    images = new { train = result.Train, validation = result.Validation, test = result.Accuracy?.Count ?? 0 },
                    lambda = result.Probe.Lambda, validation_accuracy = result.Probe.Validation,
                    accuracy = result.Accuracy, zero_shot = result.ZeroShot, skipped = skipped.Items, path,
                };
                Write(Path.ChangeExtension(path, ".json"), figures);
                if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(figures);
                else Say(terminal, words, result, path);
                return skipped.Say(terminal);
            },
            CancellationToken.None));
        return command;
    }

    private static void Write(string path, object figures)
    {
        var body = JsonSerializer.SerializeToNode(figures, Terminal.JsonFormat) as JsonObject;
        body!.Remove("path");
        WrittenFile.Write(path, body.ToJsonString(Terminal.JsonFormat) + "\n");
    }

    private static void Say(Terminal terminal, Words words, ProbeResult result, string path)
    {
        var rows = new List<string[]>();
        Add(words["train.zero-shot"], result.ZeroShot);
        Add(words["train.linear-probe"], result.Accuracy);
        if (rows.Count > 0)
            terminal.SayTable([words["word.classifier"], ">" + words["word.accuracy"],
                ">" + words["word.interval-95"], ">" + words["word.images"]], rows);
        terminal.SayText(words["train.probe-fitted", words.Images(result.Train + result.Validation),
            result.Head.Labels.Count, result.Probe.Lambda]);
        terminal.SayText(words["train.probe-written", words.Wrote(path)]);

        void Add(string name, Figure? figure)
        {
            if (figure is null) return;
            var culture = CultureInfo.InvariantCulture;
            rows.Add([name, string.Create(culture, $"{100 * figure.Value:F1} %"),
                string.Create(culture, $"{100 * figure.Low:F1} – {100 * figure.High:F1} %"), figure.Count.ToString(culture)]);
        }
    }
}
