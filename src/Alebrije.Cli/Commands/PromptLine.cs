using System.Text.Json;
using System.Text.Json.Serialization;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>A prompt with its own settings: a line of a file of prompts, as text or as a JSON object.</summary>
internal sealed record PromptLine
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>The prompt.</summary>
    public required string Prompt { get; init; }

    /// <summary>Seed of its first image; null continues the run's seeds.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Negative prompt; null: the run's.</summary>
    public string? Negative { get; init; }

    /// <summary>Steps of the decoder; null: the run's.</summary>
    public int? Steps { get; init; }

    /// <summary>Guidance scale of the decoder; null: the run's.</summary>
    public double? Guidance { get; init; }

    /// <summary>Side in pixels; null: the run's.</summary>
    public int? Size { get; init; }

    /// <summary>Reads the prompts of a file, or of standard input.</summary>
    /// <param name="file">A path, or <c>-</c>.</param>
    /// <param name="terminal">Standard input.</param>
    /// <param name="words">Language of errors.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UsageException">A line that begins with a brace is not a JSON object with a prompt.</exception>
    public static IEnumerable<PromptLine> Read(string file, Terminal terminal, Words words) =>
        TextLines.Read(file, terminal, words, "--prompts-file")
        .Select(line => line.StartsWith('{') ? Parse(line, words) : new PromptLine { Prompt = line });

    /// <summary>A request with the line's settings in place of the run's.</summary>
    public GenerationRequest Fill(GenerationRequest run) => run with
    {
        Prompt = Prompt, Negative = Negative ?? run.Negative, Steps = Steps ?? run.Steps,
        Guidance = Guidance ?? run.Guidance, Size = Size ?? run.Size,
    };

    private static PromptLine Parse(string line, Words words)
    {
        try
        {
            return JsonSerializer.Deserialize<PromptLine>(line, Format)!;
        }
        catch (JsonException)
        {
            throw new UsageException(words["prompts.line-no-json", line]);
        }
    }
}
