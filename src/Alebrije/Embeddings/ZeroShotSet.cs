using System.Text.Json;

namespace Alebrije.Embeddings;

/// <summary>Class names and prompt templates that a dataset is classified with.</summary>
/// <param name="Name">The dataset, as its authors of the lists call it.</param>
/// <param name="Classes">Class names, in the dataset's order; ImageNet's are the edited ones, of which two denote two classes each.</param>
/// <param name="Templates">Sentences with <c>{}</c> where the class name goes.</param>
public sealed record ZeroShotSet(string Name, IReadOnlyList<string> Classes, IReadOnlyList<string> Templates)
{
    /// <summary>All names of each class; most have but one.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Names { get; init; } = [.. Classes.Select(name => (IReadOnlyList<string>)[name])];

    private static readonly Lazy<(IReadOnlyList<ZeroShotSet> Sets, IReadOnlyList<string> Short)> Built = new(Read);

    /// <summary>The plainest template (Radford et al., 2021, §3.1.4).</summary>
    public static IReadOnlyList<string> Simple { get; } = ["a photo of a {}."];

    /// <summary>The class name as it is.</summary>
    public static IReadOnlyList<string> Plain { get; } = ["{}"];

    /// <summary>The seven templates that nearly match ImageNet's eighty (openai/CLIP, Prompt_Engineering_for_ImageNet.ipynb).</summary>
    public static IReadOnlyList<string> ImageNet7 => Built.Value.Short;

    /// <summary>All sets that are built in: openai/CLIP's data/prompts.md.</summary>
    public static IReadOnlyList<ZeroShotSet> All => Built.Value.Sets;

    /// <summary>A set by its name, in any case.</summary>
    /// <exception cref="ArgumentException">There is no such set; the message lists them.</exception>
    public static ZeroShotSet Find(string name) =>
        All.FirstOrDefault(set => set.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException(
            $"There are no class names called '{name}'; there are {string.Join(", ", All.Select(set => set.Name))}.");

    private static (IReadOnlyList<ZeroShotSet> Sets, IReadOnlyList<string> Short) Read()
    {
        using var stream = typeof(ZeroShotSet).Assembly.GetManifestResourceStream("zero-shot.json")!;
        using var document = JsonDocument.Parse(stream);
        var sets = document.RootElement.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Object)
            .Select(p => Read(p.Name, p.Value)).ToArray();
        return (sets, Strings(document.RootElement.GetProperty("ImageNet").GetProperty("templates_7")));
    }

    private static ZeroShotSet Read(string name, JsonElement value)
    {
        // A class is a name or, where several words mean it, a list of them.
        var names = value.GetProperty("classes").EnumerateArray()
            .Select(item => item.ValueKind == JsonValueKind.Array ? (IReadOnlyList<string>)Strings(item) : [item.GetString()!]).ToArray();
        return new ZeroShotSet(name, [.. names.Select(all => all[0])], Strings(value.GetProperty("templates"))) { Names = names };
    }

    private static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(item => item.GetString()!)];
}
