using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Evaluation;

/// <summary>
/// Evaluation figures of a model and its accuracy by core concept, stored in its folder as <c>evaluation.json</c>.
/// </summary>
/// <param name="Model">The model's name.</param>
/// <param name="Seed">Seed of the evaluation.</param>
/// <param name="Metrics">The figures, as printed by <c>evaluate --json</c>.</param>
/// <param name="Concepts">The core concepts in the world's order; empty if none was drawn.</param>
public sealed record ModelRecord(string Model, ulong Seed, JsonObject Metrics, IReadOnlyList<DrawnConcept> Concepts)
{
    /// <summary>Name of the file, next to <c>model_index.json</c>.</summary>
    public const string FileName = "evaluation.json";

    /// <summary>The record of an evaluation.</summary>
    public static ModelRecord Of(EvaluationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new ModelRecord(result.Model, result.Seed, result.Metrics.ToJson(), result.Concepts);
    }

    /// <summary>Reads a record.</summary>
    /// <param name="path">The file, or the model's folder.</param>
    /// <returns>Null if there is no such file.</returns>
    /// <exception cref="InvalidDataException">The file is not an evaluation record.</exception>
    public static ModelRecord? Read(string path)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        if (!File.Exists(file) || SingleFileLayout.HasEnding(file)) return null;
        try
        {
            var record = JsonSerializer.Deserialize<ModelRecord>(RegularFile.ReadAllText(file), JsonForms.Sparse);
            if (record is { Model: not null, Metrics: not null, Concepts: not null }) return record;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not a record of an evaluation: {e.Message}", e);
        }

        throw new InvalidDataException(
            $"{file} is not a record of an evaluation: it has to hold model, seed, metrics and concepts; write it again with evaluate.");
    }

    /// <summary>Writes the record, a line for each part and each concept; the replacement is atomic.</summary>
    /// <param name="path">The file.</param>
    public void Write(string path)
    {
        var parts = Metrics.Select(part =>
            $"    {JsonSerializer.Serialize(part.Key, JsonForms.Sparse)}: {part.Value?.ToJsonString(JsonForms.Sparse) ?? "null"}");
        var concepts = Concepts.Select(concept => "    " + JsonSerializer.Serialize(concept, JsonForms.Sparse));
        var text = $$"""
            {
              "model": {{JsonSerializer.Serialize(Model, JsonForms.Sparse)}},
              "seed": {{Seed}},
              "metrics": {
            {{string.Join(",\n", parts)}}
              },
              "concepts": [
            {{string.Join(",\n", concepts)}}
              ]
            }

            """;
        AtomicFile.Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
    }
}
