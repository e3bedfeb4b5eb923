using System.CommandLine;
using Alebrije.Analysis;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije train classifier --images DIR --out DIR [--epochs N] [--rate R] [--mix A] [--probe F]</c></summary>
internal static class TrainClassifierCommand
{
    public static Command Create(Terminal terminal)
    {
        var images = new Option<string>("--images") { HelpName = "DIR", Description = "Folder of folders named after what their images show.", Required = true };
        var test = new Option<string?>("--test") { HelpName = "DIR", Description = "Images that are measured on, in the same folders; without it 15 % of --images." };
        var probe = new Option<string?>("--probe") { HelpName = "FILE", Description = "Classifier of train probe to begin with; without it the texts' embeddings, which is zero-shot." };
        var templates = Templates.Option();
        var epochs = new Option<int>("--epochs") { HelpName = "N", Description = "How often every image is shown.", DefaultValueFactory = _ => 10 };
        var rate = new Option<double>("--rate") { HelpName = "R", Description = "Learning rate of the classifier; deeper blocks of the tower move slower.", DefaultValueFactory = _ => 1e-4 };
        var batch = new Option<int>("--batch") { HelpName = "B", Description = "Images per step.", DefaultValueFactory = _ => 32 };
        var mix = new Option<double>("--mix") { HelpName = "A", Description = "Share of the fine-tuned weights in the result: 0 is the beginning, 1 is fine-tuned.", DefaultValueFactory = _ => 1 };
        var flip = new Option<bool>("--flip") { Description = "Mirrors half of the images." };
        Require(epochs, value => value is >= 1 and <= 100_000, "a whole number from 1 to 100000");
        Require(rate, value => value is > 0 and <= 1, "a number above 0 and up to 1");
        Require(batch, value => value is >= 1 and <= 65_536, "a whole number from 1 to 65536");
        Require(mix, value => value is >= 0 and <= 1, "a number from 0 to 1");
        var strict = PictureOptions.StrictOption();
        var run = new TrainingRunOptions();
        var command = new Command("classifier", "Fine-tunes a model's image tower with a classifier on labelled images; the result is a model.")
        {
            images, test, probe, templates, epochs, rate, batch, mix, flip, strict,
        };
        run.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var classifier = new ClassifierOptions(parsed.GetValue(images)!, parsed.GetValue(CommonOptions.Model)!)
                {
                    Test = parsed.GetValue(test), Probe = parsed.GetValue(probe), Templates = Templates.Find(parsed.GetValue(templates), words) ?? ZeroShotSet.Plain,
                    Epochs = parsed.GetValue(epochs), LearningRate = parsed.GetValue(rate), Batch = parsed.GetValue(batch), Mix = parsed.GetValue(mix), Flip = parsed.GetValue(flip),
                    Seed = parsed.GetValue(CommonOptions.Seed) ?? 1, Precision = CommonOptions.PrecisionOf(parsed),
                };
                return run.Run(parsed, terminal, options => Trainers.RunClassifier(classifier, options, cancellation), parsed.GetValue(strict));
            },
            CancellationToken.None));
        return command;
    }

    private static void Require<T>(Option<T> option, Func<T, bool> holds, string what) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<T>() is { } value && !holds(value)) result.AddError(FormattableString.Invariant($"{option.Name} takes {what}, not {value}."));
    });
}
