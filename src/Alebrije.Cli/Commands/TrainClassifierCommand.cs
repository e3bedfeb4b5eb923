using System.CommandLine;
using Alebrije.Embeddings;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije train classifier --images DIR --out DIR [--epochs N] [--rate R] [--mix A] [--probe F]</c></summary>
internal static class TrainClassifierCommand
{
    public static Command Create(Terminal terminal)
    {
        var images = new Option<string>("--images") { HelpName = "DIR", Required = true };
        var test = new Option<string?>("--test") { HelpName = "DIR" };
        var probe = new Option<string?>("--probe") { HelpName = "FILE" };
        var templates = Templates.Option();
        var epochs = new Option<int>("--epochs") { HelpName = "N", DefaultValueFactory = _ => 10 };
        var rate = new Option<double>("--rate") { HelpName = "R", DefaultValueFactory = _ => 1e-4 };
        var batch = new Option<int>("--batch") { HelpName = "B", DefaultValueFactory = _ => 32 };
        var mix = new Option<double>("--mix") { HelpName = "A", DefaultValueFactory = _ => 1 };
        var flip = new Option<bool>("--flip");
        Require(epochs, value => value is >= 1 and <= 100_000, words => words["usage.kind-whole-number-between", 1, 100_000]);
        Require(rate, value => value is > 0 and <= 1, words => words["usage.kind-number-above-0-up-to-1"]);
        Require(batch, value => value is >= 1 and <= 65_536, words => words["usage.kind-whole-number-between", 1, 65_536]);
        Require(mix, value => value is >= 0 and <= 1, words => words["usage.kind-number-from-0-to-1"]);
        var strict = PictureOptions.StrictOption();
        var run = new TrainingRunOptions();
        var command = new Command("classifier")
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
                    Test = parsed.GetValue(test), Probe = parsed.GetValue(probe),
                    Templates = Templates.Find(parsed.GetValue(templates), words) ?? ZeroShotSet.Plain,
                    Epochs = parsed.GetValue(epochs), LearningRate = parsed.GetValue(rate),
                    Batch = parsed.GetValue(batch), Mix = parsed.GetValue(mix), Flip = parsed.GetValue(flip),
                    Seed = parsed.GetValue(CommonOptions.Seed) ?? 1, Precision = CommonOptions.PrecisionOf(parsed),
                };
                return run.Run(parsed, terminal, options => Trainers.RunClassifier(classifier, options, cancellation),
                    parsed.GetValue(strict), [classifier.Images, classifier.Test]);
            },
            CancellationToken.None));
        return command;
    }

    private static void Require<T>(Option<T> option, Func<T, bool> holds, Func<Words, string> what) => option.Validators.Add(result =>
    {
        var words = Words.Of(result);
        if (result.GetValueOrDefault<T>() is { } value && !holds(value))
            result.AddError(words["usage.takes-kind-not-number", option.Name, what(words), value]);
    });
}
