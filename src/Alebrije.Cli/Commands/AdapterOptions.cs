using System.CommandLine;
using System.Globalization;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>The options <c>--lora</c>, <c>--embedding</c> and <c>--long-prompt</c> of the verbs for Stable Diffusion.</summary>
internal sealed class AdapterOptions
{
    private readonly Option<string[]> loras = new("--lora") { HelpName = "FILE[:SCALE]" };
    private readonly Option<string[]> embeddings = new("--embedding") { HelpName = "FILE[:TOKEN]" };
    private readonly Option<bool> longPrompt = new("--long-prompt");

    /// <summary>The options, for a command.</summary>
    public Option[] All => [loras, embeddings, longPrompt];

    /// <summary>A request with the options; files must exist.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="UsageException">A scale is not a number, or a token is empty.</exception>
    public GenerationRequest Fill(ParseResult parsed, GenerationRequest request, Words words)
    {
        var (files, tokens) = (parsed.GetValue(loras) ?? [], parsed.GetValue(embeddings) ?? []);
        return request with
        {
            Loras = files.Length == 0 ? null : [.. files.Select(given => Lora(given, words))],
            Embeddings = tokens.Length == 0 ? null : [.. tokens.Select(given => Embedding(given, words))],
            LongPrompt = parsed.GetValue(longPrompt),
        };
    }

    private static LoraInput Lora(string given, Words words)
    {
        var (file, scale) = Split(given, words);
        if (scale is null) return new LoraInput(file);
        return double.TryParse(scale, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? new LoraInput(file, number) : throw new UsageException(words["adapters.scale", scale, given]);
    }

    private static EmbeddingInput Embedding(string given, Words words)
    {
        var (file, token) = Split(given, words);
        if (token is not null && string.IsNullOrWhiteSpace(token)) throw new UsageException(words["adapters.token", given]);
        return new EmbeddingInput(file, token);
    }

    /// <summary>An existing file, and the value after its colon; a path may contain colons itself.</summary>
    private static (string File, string? Value) Split(string given, Words words)
    {
        if (File.Exists(given)) return (Path.GetFullPath(given), null);
        for (var colon = given.LastIndexOf(':'); colon > 0; colon = given.LastIndexOf(':', colon - 1))
            if (File.Exists(given[..colon])) return (Path.GetFullPath(given[..colon]), given[(colon + 1)..]);
        throw new FileNotFoundException(words["adapters.no-file", given]);
    }
}
