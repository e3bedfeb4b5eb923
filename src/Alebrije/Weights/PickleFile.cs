using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>
/// Tensors of a file written by <c>torch.save</c>: a zip archive (PyTorch 1.6 or later), or consecutive pickles (earlier). Reads only
/// dictionaries of plain tensors, or a short list of them whose indices are their names; nested dictionaries give dotted names; other
/// values are skipped. Of a TorchScript archive (<c>torch.jit.save</c>) the modules' tensors are read; its code never runs. Thread-safe.
/// </summary>
internal sealed class PickleFile : TensorSource
{
    private const int MaxDepth = 8, MaxTensors = 1_000_000, MaxName = 1024, MaxTop = 100;
    /// <summary>Entries and letters of names for each byte of the pickle: dictionaries are shared a few times at most.</summary>
    private const int Shared = 16;

    private readonly PickleContainer container;
    private readonly Dictionary<string, PickledTensor> tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> texts = new(StringComparer.Ordinal);
    private long visits, letters;

    /// <summary>Opens a file and reads its list of tensors.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such file.</exception>
    /// <exception cref="WeightsException">It is damaged, or contains anything other than tensors.</exception>
    public PickleFile(string path)
    {
        Location = path;
        try
        {
            container = PickleContainer.Open(path);
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Damaged(e);
        }

        try
        {
            var top = container.Top;
            if (top is IReadOnlyList<object?> { Count: <= MaxTop } items)
                top = items.Select((item, i) => ((object)(long)i, item)).ToDictionary(pair => pair.Item1, pair => pair.item);
            if (top is not Dictionary<object, object?> map)
                throw new WeightsException($"{path} does not hold a dictionary of tensors at its top.");
            Collect(map, "", 0);
            foreach (var (key, value) in map)
                if (key is string name && value is string text) texts[name] = text;
            foreach (var (name, tensor) in tensors) container.Check(name, tensor.Storage);
        }
        catch (Exception e)
        {
            container.Dispose();
            if (IsDamage(e)) throw Damaged(e);
            throw;
        }
    }

    /// <inheritdoc/>
    public override bool IsScript => container.IsScript;

    /// <inheritdoc/>
    public override string Location { get; }

    /// <inheritdoc/>
    public override string? Text(string name) => texts.GetValueOrDefault(name);

    /// <inheritdoc/>
    public override double Elements => Math.Min(base.Elements, new FileInfo(Location).Length);

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => tensors.Keys;

    /// <inheritdoc/>
    public override bool Contains(string name) => tensors.ContainsKey(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name)
    {
        var tensor = Find(name);
        return new TensorEntry(tensor.Storage.Type, tensor.Shape);
    }

    /// <inheritdoc/>
    public override Tensor Read(string name)
    {
        if (CanFill(name)) return base.Read(name);
        var tensor = Find(name);
        var length = 1 + tensor.Shape.Select((size, axis) => (size - 1) * tensor.Strides[axis]).Sum();
        using var window = empty(length, tensor.Storage.Type, torch.CPU);
        var size = TensorTypes.SizeOf(tensor.Storage.Type);
        CopyFrom(tensor.Storage, tensor.Offset * size, window);
        using var view = window.as_strided(tensor.Shape, tensor.Strides);
        return view.contiguous();
    }

    /// <inheritdoc/>
    protected internal override bool CanFill(string name)
    {
        var tensor = Find(name);
        var stride = 1L;
        for (var axis = tensor.Shape.Length - 1; axis >= 0; axis--)
        {
            if (tensor.Shape[axis] > 1 && tensor.Strides[axis] != stride) return tensor.Shape.Contains(0);
            stride *= tensor.Shape[axis];
        }

        return true;
    }

    /// <inheritdoc/>
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination)
    {
        var tensor = Find(name);
        CopyBytes(tensor.Storage, (tensor.Offset * TensorTypes.SizeOf(tensor.Storage.Type)) + offset, destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) container.Dispose();
        base.Dispose(disposing);
    }

    private void Collect(Dictionary<object, object?> map, string prefix, int depth)
    {
        if (depth > MaxDepth) throw new WeightsException($"{Location} nests dictionaries deeper than {MaxDepth}.");
        foreach (var (key, value) in map)
        {
            if (++visits > Shared * container.PickleBytes) throw Repeats();
            if (value is not (PickledTensor or Dictionary<object, object?>)) continue;
            var name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{prefix}{key}");
            if (name.Length > MaxName || tensors.Count >= MaxTensors)
                throw new WeightsException($"{Location} has more or longer names than any checkpoint.");
            if ((letters += name.Length) > Shared * container.PickleBytes) throw Repeats();
            if (value is Dictionary<object, object?> inner) Collect(inner, name + ".", depth + 1);
            else if (!tensors.TryAdd(name, (PickledTensor)value)) throw new WeightsException($"{Location} names tensor '{name}' twice.");
        }
    }

    private WeightsException Repeats() => new($"{Location} repeats its dictionaries more often than any checkpoint does.");

    private void CopyFrom(PickledStorage storage, long offset, Tensor target)
    {
        var size = target.element_size();
        const int step = 1 << 26;
        for (var done = 0L; done < target.numel(); done += step)
        {
            using var part = target.narrow(0, done, Math.Min(step, target.numel() - done));
            CopyBytes(storage, offset + (done * size), part.bytes);
        }
    }

    private void CopyBytes(PickledStorage storage, long offset, Span<byte> destination)
    {
        try
        {
            container.CopyBytes(storage, (storage.Start * TensorTypes.SizeOf(storage.Type)) + offset, destination);
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Damaged(e);
        }
    }

    private PickledTensor Find(string name) => tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new WeightsException($"{Location} holds no tensor '{name}' among its {tensors.Count}.");

    private WeightsException Damaged(Exception e) => new($"{Location} is damaged or truncated: {e.Message}", e);

    /// <summary>True for the exceptions of both formats' readers on damaged files.</summary>
    private static bool IsDamage(Exception e) =>
        e is InvalidDataException or IOException or UnauthorizedAccessException
             or NotSupportedException or ArgumentException or OverflowException;
}
