using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>A file's tensors with the names and shapes of a network. Does not own the file.</summary>
internal sealed class RenamedSource : TensorSource
{
    private readonly TensorSource source;
    private readonly Dictionary<string, Place> places = new(StringComparer.Ordinal);
    private (string Name, Tensor Whole)? kept;

    /// <param name="source">The file.</param>
    /// <param name="options">Mapping of its names and shapes to the network's.</param>
    /// <exception cref="WeightsException">Two tensors map to one, or a fused one does not divide into its parts.</exception>
    public RenamedSource(TensorSource source, StateDictOptions options)
    {
        this.source = source;
        var fused = options.Fused.Select(f => (Pattern: new Regex(f.Pattern, RegexOptions.CultureInvariant), f.Parts, f.HeadWidth))
            .ToArray();
        foreach (var (name, original) in StateDict.Translate(source, options))
        {
            var shape = source.Describe(original).Shape;
            var found = Array.FindIndex(fused, f => f.Pattern.IsMatch(name));
            if (found < 0)
            {
                var turned = StateDict.Matches(options.Transposed, name);
                Add(name, new Place(original, Turned(name, shape, options), 0, 1, 0) { IsTransposed = turned });
                continue;
            }

            var (pattern, parts, headWidth) = fused[found];
            var rows = shape.Length == 0 ? 0 : (int)(headWidth ?? (shape[0] / parts.Count));
            if (rows == 0 || shape[0] % (rows * parts.Count) != 0)
                throw new WeightsException($"{source.Location}: '{original}' "
                    + $"is [{string.Join(", ", shape)}] and does not divide into {parts.Count} parts of heads of {rows} rows.");
            long[] own = [shape[0] / parts.Count, .. shape[1..]];
            for (var i = 0; i < parts.Count; i++)
                if (pattern.Replace(name, parts[i]) is var part)
                    Add(part, new Place(original, StateDict.Plain(own, part, options), i, parts.Count, rows));
        }

        foreach (var scaled in options.Scaled) Scale(new Regex(scaled.Pattern, RegexOptions.CultureInvariant), scaled.Scale);
    }

    /// <inheritdoc/>
    public override string Location => source.Location;

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => places.Keys;

    /// <inheritdoc/>
    public override bool Contains(string name) => places.ContainsKey(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name) => Find(name) is var place && place.Scale is null
        ? new(source.Describe(place.Original).Type, place.Shape) : new(ScalarType.Float32, place.Shape);

    /// <inheritdoc/>
    public override Tensor Read(string name)
    {
        var place = Find(name);
        using var scope = NewDisposeScope();
        if (place.Of == 1)
        {
            var tensor = source.Read(place.Original);
            if (place.Scale is { } scale)
            {
                var rows = tensor.to(ScalarType.Float32).reshape(tensor.shape[0], -1);       // [rows, numbers of a row]
                tensor = (rows * source.Read(scale).to(ScalarType.Float32).unsqueeze(1)).reshape(tensor.shape);
            }

            return (place.IsTransposed ? tensor.t().contiguous() : tensor.reshape(place.Shape)).MoveToOuterDisposeScope();
        }

        // [heads, parts, rows, ...] of the whole; a part consists of all heads' rows of one index.
        var heads = Whole(place.Original).reshape(-1, place.Of, place.Rows,
            place.Shape.Skip(1).Aggregate(1L, (product, size) => product * size));
        return heads.select(1, place.Index).reshape(place.Shape).contiguous().clone().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected internal override bool CanFill(string name) =>
        Find(name) is { Of: 1, IsTransposed: false, Scale: null } place && source.CanFill(place.Original);

    /// <inheritdoc/>
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination) =>
        source.CopyBytes(Find(name).Original, offset, destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) kept?.Whole.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Finds the vectors that multiply tensors' rows, and removes them from the names.</summary>
    private void Scale(Regex pattern, string replacement)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, place) in places.Where(pair => pattern.IsMatch(pair.Key)).ToList())
        {
            var scale = pattern.Replace(name, replacement);
            var fits = places.TryGetValue(scale, out var vector) && place is { Of: 1, Shape: [var rows, ..] }
                && vector.Shape is [var numbers] && numbers == rows;
            if (!fits)
                throw new WeightsException($"{Location}: '{place.Original}' has no scale '{scale}' with a number for each of its rows.");
            places[name] = place with { Scale = vector!.Original };
            used.Add(scale);
        }

        foreach (var scale in used) places.Remove(scale);
    }

    private static long[] Turned(string name, long[] shape, StateDictOptions options) =>
        shape.Length == 2 && StateDict.Matches(options.Transposed, name) ? [shape[1], shape[0]]
        : shape.Length == 1 && StateDict.Matches(options.Rows, name) ? [1, shape[0]]
        : shape is [1] && StateDict.Matches(options.Scalars, name) ? []
        : StateDict.Plain(shape, name, options);

    /// <summary>Reads a fused tensor once, because its parts are read consecutively.</summary>
    private Tensor Whole(string original)
    {
        if (kept is { } last && last.Name == original) return last.Whole;
        kept?.Whole.Dispose();
        var whole = source.Read(original).DetachFromDisposeScope();
        kept = (original, whole);
        return whole;
    }

    private void Add(string name, Place place)
    {
        if (!places.TryAdd(name, place)) throw new WeightsException(
            $"{Location}: the tensors '{places[name].Original}' and '{place.Original}' both stand for '{name}'.");
    }

    private Place Find(string name) => places.TryGetValue(name, out var place)
        ? place
        : throw new WeightsException($"{Location} has nothing that stands for '{name}' among its {places.Count} tensors.");

    /// <summary>Source of a tensor: the file's tensor and the part of it.</summary>
    private sealed record Place(string Original, long[] Shape, int Index, int Of, int Rows)
    {
        public bool IsTransposed { get; init; }

        /// <summary>Name in the file of a vector that multiplies the rows, or null.</summary>
        public string? Scale { get; init; }
    }
}
