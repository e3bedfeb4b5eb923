using System.CommandLine;
using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije preprocess IMAGE --out F.npy</c></summary>
internal static class PreprocessCommand
{
    public static Command Create(Terminal terminal)
    {
        var image = new Argument<string>("IMAGE");
        var file = OutputFile.Option(".npy");
        var command = new Command("preprocess") { image, file };
        command.SetAction(parsed =>
        {
            var (words, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(file));
            OutputFile.Check(path, words);
            var picture = PillowImage.Load(parsed.GetValue(image)!);
            var processor = ClipModel.LoadImageProcessor(ModelChoice.Find(parsed));
            var (h, w) = processor.OutputSize(picture.Height, picture.Width);
            var values = processor.Prepare(picture);
            if (path is not null) Npy.Write(path, values, 3, h, w);

            // The mean and the standard deviation of the normalisation; none if the checkpoint does not normalise.
            var (options, average) = (processor.Options, values.Average(x => (double)x));
            var (mean, std) = options.DoNormalize ? (options.Mean, options.Deviation) : ((IReadOnlyList<double>)[0, 0, 0], [1, 1, 1]);
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new
                {
                    Shape = (int[])[3, h, w], mean, std, Path = path,
                    Values = new { Min = values.Min(), Max = values.Max(), Mean = average,
                        Std = Math.Sqrt(values.Average(x => (x - average) * (x - average))) },
                });
                return 0;
            }

            terminal.Show(processor.PrepareBytes(picture), 32);
            var culture = CultureInfo.InvariantCulture;
            terminal.Say(string.Create(culture,
                $"{picture.Width} x {picture.Height} {picture.Mode.ToString().ToUpperInvariant()} "
                    + $"→ float32 [3, {h}, {w}], {values.Min():F3} … {values.Max():F3}"));
            terminal.Say(words["preprocess.mean", Listed(mean)]);
            terminal.Say(words["preprocess.std", Listed(std)]);
            if (path is not null) terminal.Say(words.Wrote(path) + ".");
            return 0;

            string Listed(IReadOnlyList<double> numbers) => string.Join(", ", numbers.Select(x => x.ToString(culture)));
        });
        return command;
    }
}
