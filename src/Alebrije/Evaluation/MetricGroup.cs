using System.Text.Json.Nodes;
using Alebrije.Embeddings;

namespace Alebrije.Evaluation;

/// <summary>Named figures and groups of figures in the order of measurement, as printed by <c>evaluate</c>.</summary>
public sealed class MetricGroup
{
    private const int Digits = 6;
    private readonly OrderedDictionary<string, Figure> figures = [];
    private readonly OrderedDictionary<string, MetricGroup> groups = [];

    /// <summary>Figure that summarises the group, or null.</summary>
    public Figure? Own { get; internal set; }

    /// <summary>Figures by name.</summary>
    public IReadOnlyDictionary<string, Figure> Figures => figures;

    /// <summary>Groups by name.</summary>
    public IReadOnlyDictionary<string, MetricGroup> Groups => groups;

    /// <summary>The group as JSON: each figure <c>{value, count, low, high}</c>, rounded to six decimals.</summary>
    public JsonObject ToJson()
    {
        var json = Own is { } own ? Json(own) : [];
        foreach (var (name, figure) in figures) json[name] = Json(figure);
        foreach (var (name, group) in groups) json[name] = group.ToJson();
        return json;
    }

    internal void Add(string name, Figure figure) => figures.Add(name, figure);

    internal void Add(string name, MetricGroup group) => groups.Add(name, group);

    private static JsonObject Json(Figure figure) => new()
    {
        ["value"] = Math.Round(figure.Value, Digits), ["count"] = figure.Count,
        ["low"] = Math.Round(figure.Low, Digits), ["high"] = Math.Round(figure.High, Digits),
    };
}
