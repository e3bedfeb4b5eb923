using System.CommandLine;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Pipelines.Flamingo;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije bench [--rounds N] [--images ... [--count N]]</c></summary>
internal static class BenchCommand
{
    private const int DefaultRounds = 11, PicturesARound = 64;

    public static Command Create(Terminal terminal)
    {
        var rounds = new Option<int>("--rounds") { HelpName = "N", DefaultValueFactory = _ => DefaultRounds };
        rounds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 3 or > 1000)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--rounds", 3, 1000]);
        });
        var images = new Option<string[]>("--images")
        {
            HelpName = "FILE|FOLDER|PATTERN", AllowMultipleArgumentsPerToken = true,
        };
        var count = new Option<int>("--count") { HelpName = "N", DefaultValueFactory = _ => 1000 };
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 10_000_000)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--count", 1, 10_000_000]);
        });
        var strict = PictureOptions.StrictOption();
        var command = new Command("bench") { rounds, images, count, strict };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var named = parsed.GetResult(CommonOptions.Model) is { Implicit: false };
                var folder = named ? ModelChoice.Find(parsed) : null;
                var skipped = new SkippedPictures(words, upright: false, parsed.GetValue(strict));
                var files = parsed.GetValue(images) is { Length: > 0 } asked
                    ? ImageFiles.Expand(asked, words, skipped, cancellation) : null;
                CommonOptions.StartTorch(parsed);
                var model = named ? parsed.GetValue(CommonOptions.Model)! : "ViT-B/32";
                if (folder is not null && files is null && FlamingoPipeline.IsFlamingo(folder))
                {
                    SayTexts(terminal, words, parsed, model,
                        FlamingoBenchmark.Run(folder, parsed.GetValue(rounds), terminal.Progress, cancellation));
                    return 0;
                }

                if (files is null)
                {
                    SayTowers(terminal, words, parsed, model,
                        ClipBenchmark.Run(folder, parsed.GetValue(rounds), terminal.Progress, cancellation));
                    return 0;
                }

                var result = FolderBenchmark.Run(
                    folder, files, (PicturesARound, parsed.GetValue(rounds), parsed.GetValue(count)),
                    CommonOptions.PrecisionOf(parsed), terminal.Progress, skipped.Reader, cancellation);
                SayFolder(terminal, words, parsed, model, result, skipped.Items);
                return skipped.Say(terminal);
            },
            CancellationToken.None));
        return command;
    }

    private static void SayTowers(Terminal terminal, Words words, ParseResult parsed, string model, IReadOnlyList<BenchmarkRow> rows)
    {
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { model, rounds = rows });
            return;
        }

        terminal.SayTable(
            [words["word.what"], ">" + words["word.batch"], words["word.way"],
                ">ms", ">" + words["word.per-second"], ">" + words["word.ratio"], "p10-p90", ">" + words["word.least-cosine"]],
            rows.Select(row => new[]
            {
                row.What == "texts" ? words["word.texts"] : words["word.images"],
                row.Batch.ToString(CultureInfo.InvariantCulture), row.Way, Number(row.Milliseconds, "0.0"),
                Number(row.PerSecond, "0.0"), "x" + Number(row.Ratio, "0.00"),
                $"{Number(row.Low, "0.00")}-{Number(row.High, "0.00")}", Number(row.Cosine, "0.0000000"),
            }));
        terminal.SayText(words["bench.about-ratio", model]);
    }

    private static void SayTexts(Terminal terminal, Words words, ParseResult parsed, string model, FlamingoBenchmarkResult result)
    {
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { model, result.Tokens, result.Cached, result.Plain, result.Ratio, result.Same });
            return;
        }

        terminal.SayText(words["bench.flamingo", model, result.Tokens, Number(result.Cached, "0.0"), Number(result.Plain, "0.0"),
            Number(result.Ratio, "0.00"), result.Same ? words["bench.same-tokens"] : words["bench.other-tokens"]]);
    }

    private static void SayFolder(Terminal terminal, Words words,
        ParseResult parsed, string model, FolderBenchmarkResult result, IReadOnlyList<SkippedPicture> skipped)
    {
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { model, result.Count, result.PerSecond,
                result.Ratio, result.Low, result.High, result.Cosine, result.PeakBytes, skipped });
            return;
        }

        var (speed, ratio, span, peak) = (Number(result.PerSecond, "0.0"), Number(result.Ratio, "0.00"),
            $"{Number(result.Low, "0.00")}-{Number(result.High, "0.00")}", Number(result.PeakBytes / 1048576.0, "0"));
        terminal.SayText(words["bench.folder", model, result.Count, speed, ratio, span, Number(result.Cosine, "0.000000"), peak]);
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
