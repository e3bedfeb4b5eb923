using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije upscale PICTURE [--out FILE] [--steps N] [--trace DIR]</c>: the model's upsampler on any image.</summary>
internal static class UpscaleCommand
{
    public static Command Create(Terminal terminal)
    {
        var picture = new Argument<string>("PICTURE");
        var steps = new Option<int?>("--steps");
        var prompt = new Option<string>("--prompt") { HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var file = OutputFile.Option(".png");
        var trace = new Option<string?>("--trace");
        var command = new Command("upscale") { picture, prompt, steps, file, trace };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var (words, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(picture)!);
                var target = parsed.GetValue(file) ?? OutputFile.Free(Path.GetFileNameWithoutExtension(path) + "-large");
                OutputFile.Check(target, words);
                OutputFile.CheckEmptyFolder("--trace", parsed.GetValue(trace), words);
                OutputFile.CheckFolder(parsed.GetValue(trace), GenerationTrace.IndexFile, words);
                var request = new UpscaleRequest(RgbImage.LoadUpright(path)) { Seed = parsed.GetValue(CommonOptions.Seed)
                    ?? (ulong)Random.Shared.Next(), Steps = parsed.GetValue(steps), Prompt = parsed.GetValue(prompt)! };
                request.Check();
                var folder = ModelChoice.Find(parsed);
                var clock = Stopwatch.StartNew();
                CommonOptions.StartTorch(parsed);
                using var pipeline = UpsamplingPipeline.Load(folder, CommonOptions.PrecisionOf(parsed));
                var load = clock.Elapsed.TotalSeconds;
                var traced = parsed.GetValue(trace) is { } stages ? new GenerationTrace(stages) : null;
                var result = pipeline.Upscale(request, new StepProgress(terminal, words).Show, traced, cancellation);
                traced?.Finish(new { model = pipeline.Name, source = path, result.Request.Seed, result.Request.Steps, result.Factor });
                result.Image.SavePng(target, Recipe.Of(pipeline.Name, result, SourceTexts(path)));
                terminal.CloseLine();
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new
                    {
                        model = pipeline.Name, source = path, path = target, result.Request.Seed,
                        result.Request.Steps, result.Image.Width, result.Image.Height,
                        seconds = new { load, upsampler = result.Seconds },
                    });
                    return 0;
                }

                terminal.Show(result.Image, 64);
                terminal.SayText(words["upscale.written", target, result.Image.Width, result.Image.Height, result.Request.Seed,
                    StepProgress.StageName("load", words), load, StepProgress.StageName("upsampler", words), result.Seconds]);
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Text chunks of the small image's file; empty unless it is PNG.</summary>
    private static IReadOnlyDictionary<string, string> SourceTexts(string path)
    {
        try
        {
            return PngText.Read(path);
        }
        catch (ImageFormatException)
        {
            return new Dictionary<string, string>();
        }
    }
}
