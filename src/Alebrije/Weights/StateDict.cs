using System.IO.Enumeration;
using System.Text;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Mapping of a file's names and types to those of a network.</summary>
internal sealed record StateDictOptions
{
    /// <summary>Prefix of the names to read, removed from them; other tensors are ignored.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Names in the file (after the prefix) that are ignored; <c>*</c> matches anything: <c>*.position_ids</c>.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>Key map: regular expressions and replacements, applied in order to the names of the file.</summary>
    public IReadOnlyList<(string Pattern, string Replacement)> Renames { get; init; } = [];

    /// <summary>
    /// Network names of matrices that the file may contain as 1×1 convolutions, with trailing axes of size 1; <c>*</c> matches anything.
    /// </summary>
    public IReadOnlyList<string> Pointwise { get; init; } = [];

    /// <summary>Tensors that are fused in the file and separate in the network.</summary>
    public IReadOnlyList<FusedTensor> Fused { get; init; } = [];

    /// <summary>Network names of matrices that are transposed in the file.</summary>
    public IReadOnlyList<string> Transposed { get; init; } = [];

    /// <summary>Network names of rows, [1, n], that are vectors in the file.</summary>
    public IReadOnlyList<string> Rows { get; init; } = [];

    /// <summary>
    /// Changes of tensors by their network names: from the file's values in float32 to others of the same shape, before the conversion to
    /// the network's type.
    /// </summary>
    public IReadOnlyDictionary<string, Func<Tensor, Tensor>> Edits { get; init; } = new Dictionary<string, Func<Tensor, Tensor>>();

    /// <summary>Network names of scalars that may be lists of one number in the file.</summary>
    public IReadOnlyList<string> Scalars { get; init; } = [];

    /// <summary>Tensors with a vector in the file that scales their rows.</summary>
    public IReadOnlyList<ScaledTensor> Scaled { get; init; } = [];

    /// <summary>
    /// True to convert the network to the file's floating-point type (if it has only one) instead of the tensors to the network's.
    /// </summary>
    public bool KeepFileType { get; init; }

    /// <summary>True if tensors of the file are split or reshaped, not only renamed.</summary>
    internal bool Reshapes => Fused.Count + Transposed.Count + Rows.Count + Scalars.Count + Scaled.Count > 0;
}

/// <summary>A tensor [rows, ...] of the network, equal to the file's times a vector [rows] of the file, row by row.</summary>
/// <param name="Pattern">Regular expression, applied to network names.</param>
/// <param name="Scale">Replacement for the vector's name, after <see cref="StateDictOptions.Renames"/>.</param>
internal sealed record ScaledTensor(string Pattern, string Scale);

/// <summary>A tensor that contains the rows of several, concatenated or interleaved by head.</summary>
/// <param name="Pattern">Regular expression, applied to names after <see cref="StateDictOptions.Renames"/>.</param>
/// <param name="Parts">Replacements, one per part in the file's order.</param>
/// <param name="HeadWidth">Consecutive rows of a part: those of a head if interleaved; null: all of them.</param>
internal sealed record FusedTensor(string Pattern, IReadOnlyList<string> Parts, int? HeadWidth = null);

/// <summary>Loads networks strictly: every tensor of the network must be in the file, and the reverse.</summary>
internal static class StateDict
{
    /// <summary>Names in a message, and the letters of one: those of a file may be many and long.</summary>
    private const int Listed = 8, MostLetters = 160;

    /// <summary>Compares names, shapes and types of a file's tensors with a network's, without reading them.</summary>
    /// <exception cref="WeightsException">Tensors are missing, unexpected, or of another shape or type; the first eight of a kind are
    /// listed.</exception>
    public static void Check(nn.Module module, TensorSource source, StateDictOptions options)
    {
        using var translated = options.Reshapes ? new RenamedSource(source, options) : null;
        if (translated is not null) options = new StateDictOptions();
        Compare(module, translated ?? source, module.state_dict(), Translate(translated ?? source, options), options);
    }

    /// <summary>Loads weights into a network, after checking all of them.</summary>
    /// <exception cref="WeightsException">Tensors are missing, unexpected, or of another shape or type; the first eight of a kind are
    /// listed.</exception>
    public static void Load(nn.Module module, TensorSource source, StateDictOptions? options = null)
    {
        options ??= new StateDictOptions();
        if (options.Reshapes)
        {
            using var translated = new RenamedSource(source, options);
            Load(module, translated, new StateDictOptions { KeepFileType = options.KeepFileType, Edits = options.Edits });
            return;
        }

        var wanted = module.state_dict();
        var available = Translate(source, options);
        Compare(module, source, wanted, available, options);
        if (options.KeepFileType && FloatingType(source, available.Values) is { } type
            && wanted.Values.Any(t => TensorTypes.IsFloating(t.dtype) && t.dtype != type))
        {
            module.to(type);
            wanted = module.state_dict();
        }

        // In the file's order, for sequential reads.
        var targets = available.ToDictionary(pair => pair.Value, pair => (pair.Key, Tensor: wanted[pair.Key]));
        foreach (var name in source.Names)
        {
            if (!targets.TryGetValue(name, out var named)) continue;
            var target = named.Tensor;
            if (options.Edits.TryGetValue(named.Key, out var edit))
            {
                Fill(target, source, name, edit);
                continue;
            }

            var shape = source.Describe(name).Shape;
            if (shape.Length == target.ndim)
            {
                source.ReadInto(name, target);
                continue;
            }

            using var detached = target.detach();
            using var convolution = detached.view(shape);
            source.ReadInto(name, convolution);
        }
    }

    private static void Fill(Tensor target, TensorSource source, string name, Func<Tensor, Tensor> edit)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var detached = target.detach();
        detached.copy_(edit(source.Read(name).to(ScalarType.Float32).reshape(target.shape)));
    }

    /// <summary>Names and shapes of a network's tensors, sorted by name, for shape approvals and censuses.</summary>
    public static SortedDictionary<string, long[]> Names(nn.Module module) =>
        new(module.state_dict().ToDictionary(pair => pair.Key, pair => pair.Value.shape), StringComparer.Ordinal);

    /// <summary>Network names and shapes of a file's tensors.</summary>
    public static SortedDictionary<string, long[]> Names(TensorSource source, StateDictOptions options)
    {
        using var translated = new RenamedSource(source, options);
        return new(translated.Names.ToDictionary(name => name, name => translated.Describe(name).Shape), StringComparer.Ordinal);
    }

    /// <summary>Shape of a tensor in the network.</summary>
    private static long[] ShapeOf(TensorSource source, KeyValuePair<string, string> names, StateDictOptions options) =>
        Plain(source.Describe(names.Value).Shape, names.Key, options);

    /// <summary>A shape without the trailing axes of size 1 of a convolution that represents a matrix.</summary>
    internal static long[] Plain(long[] shape, string name, StateDictOptions options) =>
        shape.Length > 2 && shape.AsSpan(2).IndexOfAnyExcept(1) < 0 && Matches(options.Pointwise, name) ? shape[..2] : shape;

    internal static bool Matches(IReadOnlyList<string> patterns, string name) =>
        patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));

    /// <summary>Maps network names to names in the file.</summary>
    internal static Dictionary<string, string> Translate(TensorSource source, StateDictOptions options)
    {
        var renames = options.Renames.Select(r => (Pattern: new Regex(r.Pattern, RegexOptions.CultureInvariant), r.Replacement)).ToList();
        var translated = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var original in source.Names)
        {
            if (!original.StartsWith(options.Prefix, StringComparison.Ordinal)) continue;
            var name = original[options.Prefix.Length..];
            if (Matches(options.Ignored, name)) continue;
            foreach (var (pattern, replacement) in renames) name = pattern.Replace(name, replacement);
            if (!translated.TryAdd(name, original))
                throw new WeightsException(
                    $"{source.Location}: the tensors '{translated[name]}' and '{original}' both stand for '{name}'.");
        }

        return translated;
    }

    private static void Compare(
        nn.Module module, TensorSource source, Dictionary<string, Tensor> wanted,
        Dictionary<string, string> available, StateDictOptions options)
    {
        var missing = wanted.Keys.Where(name => !available.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var unexpected = available.Keys.Where(name => !wanted.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var different = new List<string>();
        foreach (var names in available.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var (name, original) = names;
            if (!wanted.TryGetValue(name, out var tensor)) continue;
            var entry = source.Describe(original);
            if (!ShapeOf(source, names, options).AsSpan().SequenceEqual(tensor.shape))
                different.Add($"{name} is [{string.Join(", ", entry.Shape)}] "
                    + $"in the file and [{string.Join(", ", tensor.shape)}] in the network");
            else if (TensorTypes.IsFloating(entry.Type) != TensorTypes.IsFloating(tensor.dtype))
                different.Add($"{name} is {entry.Type} in the file and {tensor.dtype} in the network");
        }

        if (missing.Count + unexpected.Count + different.Count == 0) return;
        var message = new StringBuilder($"{source.Location} does not fit the network {module.GetName()}:");
        Append(message, "missing", missing);
        Append(message, "unexpected", unexpected);
        Append(message, "of another shape", different);
        throw new WeightsException(message.Append('.').ToString());
    }

    private static void Append(StringBuilder message, string kind, List<string> names)
    {
        if (names.Count == 0) return;
        message.Append(message[^1] == ':' ? " " : "; ").Append(names.Count)
            .Append(' ').Append(kind).Append(": ").AppendJoin(", ", names.Take(Listed).Select(Short));
        if (names.Count > Listed) message.Append(" and ").Append(names.Count - Listed).Append(" more");
    }

    private static string Short(string name) => name.Length <= MostLetters ? name : name[..MostLetters] + "...";

    private static ScalarType? FloatingType(TensorSource source, IEnumerable<string> names)
    {
        var types = names.Select(name => source.Describe(name).Type).Where(TensorTypes.IsFloating).Distinct().ToList();
        return types.Count == 1 ? types[0] : null;
    }
}
