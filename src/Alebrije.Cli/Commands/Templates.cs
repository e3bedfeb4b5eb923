using System.CommandLine;
using Alebrije.Embeddings;

namespace Alebrije.Cli.Commands;

/// <summary>Prompt templates for labels, by a name or from a file.</summary>
internal static class Templates
{
    /// <summary>The option <c>--templates</c>.</summary>
    public static Option<string?> Option() => new("--templates")
    {
        HelpName = "simple|imagenet7|imagenet80|FILE",
    };

    /// <summary>The templates of a name or a file, or null without a value.</summary>
    /// <exception cref="FileNotFoundException">It is neither; one sentence.</exception>
    public static IReadOnlyList<string>? Find(string? name, Words words) => name switch
    {
        null => null,
        "simple" => ZeroShotSet.Simple,
        "imagenet7" => ZeroShotSet.ImageNet7,
        "imagenet80" => ZeroShotSet.Find("ImageNet").Templates,
        var file when File.Exists(file) => TextLines.Of(File.ReadAllText(file)),
        var other => throw new FileNotFoundException(words["templates.unknown", other]),
    };
}
