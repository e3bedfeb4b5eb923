using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>A tensor as <c>torch.save</c> pickles it: a strided view of a storage, which is a file of the archive.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>A storage, or a part of one with its own key.</summary>
/// <param name="Key">Name of the storage: of its file under <c>data/</c>, or in the list of a file before PyTorch 1.6.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Count">Number of elements.</param>
internal sealed record PickledStorage(string Key, ScalarType Type, long Count)
{
    /// <summary>Index of its first element in the storage of the file.</summary>
    public long Start { get; init; }

    /// <summary>Number of elements of the storage in the file.</summary>
    public long Whole { get; init; } = Count;
}

/// <summary>
/// Runs the opcodes of a pickle that describes tensors in dictionaries, and nothing else: no global is ever resolved or called except the
/// few that <c>torch.save</c> writes for plain tensors, which are interpreted here. Source: Python's pickletools, and
/// torch/serialization.py and torch/_utils.py for the meaning of the globals.
/// </summary>
internal sealed class PickleMachine
{
    /// <summary>Maximum opcodes and copied items of one pickle: ten times those of the largest checkpoints.</summary>
    private const int MaxWork = 4_000_000;

    private static readonly Dictionary<string, ScalarType> Storages = new(StringComparer.Ordinal)
    {
        ["torch.DoubleStorage"] = ScalarType.Float64, ["torch.FloatStorage"] = ScalarType.Float32,
            ["torch.HalfStorage"] = ScalarType.Float16,
        ["torch.BFloat16Storage"] = ScalarType.BFloat16, ["torch.LongStorage"] = ScalarType.Int64, ["torch.IntStorage"] = ScalarType.Int32,
        ["torch.ShortStorage"] = ScalarType.Int16, ["torch.CharStorage"] = ScalarType.Int8, ["torch.ByteStorage"] = ScalarType.Byte,
        ["torch.BoolStorage"] = ScalarType.Bool,
    };

    private static readonly HashSet<string> Constructors = new(StringComparer.Ordinal)
    {
        "collections.OrderedDict", "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter", "torch._utils._rebuild_tensor", "torch.Size",
    };

    /// <summary>
    /// Globals in training checkpoints besides the tensors' (Stable Diffusion's contain a callback's state and NumPy values). They are
    /// never resolved: no object, attribute or call results.
    /// </summary>
    private static readonly HashSet<string> PassedOver = new(StringComparer.Ordinal)
    {
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
        "pytorch_lightning.utilities.parsing.AttributeDict", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype",
        "_codecs.encode", "__builtin__.set", "builtins.set", "collections.defaultdict", "__builtin__.dict", "builtins.dict",
    };

    /// <summary>Longest name of a global: those of real ones have a tenth.</summary>
    private const int MaxGlobal = 1000;

    /// <summary>Module of the classes in a TorchScript archive; an object is reduced to its attributes.</summary>
    private const string ScriptClasses = "__torch__.";

    private readonly byte[] code;
    private readonly string path;
    private readonly bool scripted;
    private readonly List<object?> stack = [];
    private readonly Stack<int> marks = new();
    private readonly Dictionary<object, object?> memo = new(PickleKeys.Instance);
    private readonly Dictionary<(string Module, string Member), GlobalName> globals = [];
    private readonly ICollection<PickledStorage>? storages;
    private int at, work;
    private long letters;

    private PickleMachine(byte[] code, string path, bool scripted, ICollection<PickledStorage>? storages = null) =>
        (this.code, this.path, this.scripted, this.storages) = (code, path, scripted, storages);

    /// <summary>
    /// Runs a pickle and returns its object: dictionaries, lists (as <c>List&lt;object?&gt;</c>), strings, numbers, tensors.
    /// </summary>
    /// <exception cref="WeightsException">The pickle is damaged, or requires anything other than tensors.</exception>
    /// <param name="code">The pickle.</param>
    /// <param name="path">File that contains it, for messages.</param>
    /// <param name="scripted">True for a TorchScript archive, whose modules are read as dictionaries of their attributes.</param>
    public static object? Run(byte[] code, string path, bool scripted = false) => new PickleMachine(code, path, scripted).Run();

    /// <summary>Runs one of several consecutive pickles and returns its object.</summary>
    /// <param name="code">The pickles.</param>
    /// <param name="path">File that contains them, for messages.</param>
    /// <param name="at">Start of the pickle; on return, start of the next one.</param>
    /// <param name="storages">Receives every referenced storage, if given.</param>
    /// <exception cref="WeightsException">The pickle is damaged, or requires anything other than tensors.</exception>
    public static object? Run(byte[] code, string path, ref int at, ICollection<PickledStorage>? storages = null)
    {
        var machine = new PickleMachine(code, path, scripted: false, storages) { at = at };
        var value = machine.Run();
        at = machine.at;
        return value;
    }

    private object? Run()
    {
        while (true)
        {
            Spend(1);
            var opcode = (char)Take(1)[0];
            if (opcode == '.') return stack.Count == 1 && marks.Count == 0 ? stack[0] : throw Bad("ends in the middle of an object");
            Step(opcode);
        }
    }

    private void Step(char opcode)
    {
        switch (opcode)
        {
            case '\u0080': if (Take(1)[0] is < 2 or > 5) throw Bad("has an unknown pickle protocol"); break;
            case '\u0095': Take(8); break;
            case '(': marks.Push(stack.Count); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case '2': stack.Add(Peek()); break;
            case 'N': stack.Add(null); break;
            case '\u0088': stack.Add(true); break;
            case '\u0089': stack.Add(false); break;
            case 'J': stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case 'K': stack.Add((long)Take(1)[0]); break;
            case 'M': stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case '\u008a': stack.Add(Long(Take(Take(1)[0]))); break;
            case 'G': stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case '\u008c': stack.Add(Text(Take(1)[0])); break;
            case 'X': stack.Add(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case '\u008d': stack.Add(Text(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)))); break;
            case 'U': stack.Add(Encoding.Latin1.GetString(Take(Take(1)[0]))); break;
            case 'T': stack.Add(Encoding.Latin1.GetString(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))))); break;
            case 'C': stack.Add(Take(Take(1)[0]).ToArray()); break;
            case 'B': stack.Add(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))).ToArray()); break;
            case ']': stack.Add(new List<object?>()); break;
            case 'a': { var item = Pop(); Peek<List<object?>>("list").Add(item); break; }
            case 'e': { var items = PopToMark(); Peek<List<object?>>("list").AddRange(items); break; }
            case 'l': stack.Add(PopToMark().ToList()); break;
            case ')': stack.Add(Array.Empty<object?>()); break;
            case 't': stack.Add(PopToMark()); break;
            case '\u0085': stack.Add(Pops(1)); break;
            case '\u0086': stack.Add(Pops(2)); break;
            case '\u0087': stack.Add(Pops(3)); break;
            case '}': stack.Add(new Dictionary<object, object?>(PickleKeys.Instance)); break;
            case 'd': { var items = PopToMark(); stack.Add(Fill(new(PickleKeys.Instance), items)); break; }
            case 's': { var items = Pops(2); if (Peek() is not Nothing) Fill(Peek<Dictionary<object, object?>>("dictionary"),
                items); break; }
            case 'u': { var items = PopToMark(); if (Peek() is not Nothing) Fill(Peek<Dictionary<object, object?>>("dictionary"),
                items); break; }
            case 'q': memo[(long)Take(1)[0]] = Peek(); break;
            case 'r': memo[(long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))] = Peek(); break;
            case '\u0094': memo[(long)memo.Count] = Peek(); break;
            case 'h': stack.Add(Recall(Take(1)[0])); break;
            case 'j': stack.Add(Recall(BinaryPrimitives.ReadInt32LittleEndian(Take(4)))); break;
            case 'c': stack.Add(Resolve(Line(), Line())); break;
            case '\u0093': { var names = Pops(2); stack.Add(Resolve(names[0] as string, names[1] as string)); break; }
            case 'Q': stack.Add(Storage(Pop())); break;
            case 'R': { var arguments = Pop(); stack.Add(Call(Pop(), arguments)); break; }
            case '\u0081': { var arguments = Pop(); stack.Add(Instance(Pop(), arguments)); break; }
            case 'b': Build(); break;
            default: throw Bad($"uses the pickle opcode 0x{(int)opcode:x2}, "
                + $"which plain tensors do not need; it is damaged or holds other objects");
        }
    }

    private void Spend(int items)
    {
        work += items;
        if (work > MaxWork) throw Bad("describes more objects than any checkpoint has");
    }

    /// <summary>Reduces a global to its name; each name is kept once, and all together are no longer than the pickle.</summary>
    private GlobalName Resolve(string? module, string? member)
    {
        if (module is null || member is null) throw Bad("names a global by something that is not text");
        if (globals.TryGetValue((module, member), out var seen)) return seen;
        var name = module.Length + member.Length <= MaxGlobal ? $"{module}.{member}" : $"{Short(module)}.{Short(member)}";
        var isKnown = Storages.ContainsKey(name) || Constructors.Contains(name) || PassedOver.Contains(name)
            || (scripted && name.StartsWith(ScriptClasses, StringComparison.Ordinal) && module.Length + member.Length <= MaxGlobal);
        if (!isKnown)
            throw Bad($"refers to '{Short(name)}', which is refused: only plain tensors are read, and no code from a checkpoint ever runs; "
                + "convert the file to safetensors where you trust it");
        if ((letters += name.Length) > code.Length) throw Bad("names more globals than it has room for");
        return globals[(module, member)] = new GlobalName(name);
    }

    private object Call(object? function, object? arguments)
    {
        if (function is not GlobalName global || arguments is not object?[] given) throw Bad("calls something that is not a function");
        switch (global.Name)
        {
            case "collections.OrderedDict" when given.Length == 0:
                return new Dictionary<object, object?>(PickleKeys.Instance);
            case "collections.OrderedDict" when given is [List<object?> pairs]:
                Spend(pairs.Count);
                var items = new List<object?>();
                foreach (var pair in pairs)
                    items.AddRange(pair as IList<object?> is { Count: 2 } two ? two
                        : throw Bad("has an OrderedDict of something other than pairs"));
                return Fill(new(PickleKeys.Instance), [.. items]);
            case "torch._utils._rebuild_tensor_v2" when given.Length is 6 or 7
                && given[0] is PickledStorage storage && given[1] is long offset:
                return Window(storage, offset, Sizes(given[2]), Sizes(given[3]));
            case "torch._utils._rebuild_tensor" when given.Length == 4 && given[0] is PickledStorage storage && given[1] is long offset:
                return Window(storage, offset, Sizes(given[2]), Sizes(given[3]));
            case "torch.Size" when given is [object?[] sizes]:
                return sizes;
            case "torch._utils._rebuild_parameter" when given is [PickledTensor tensor, ..]:
                return tensor;
            case var passed when PassedOver.Contains(passed):
                return new Nothing();
            default:
                throw Bad($"gives '{Short(global.Name)}' arguments that it does not take");
        }
    }

    private PickledTensor Window(PickledStorage storage, long offset, long[] shape, long[] strides)
    {
        try
        {
            if (offset < 0 || shape.Length != strides.Length) throw new OverflowException();
            var (count, last) = (1L, offset);
            for (var i = 0; i < shape.Length; i++)
            {
                if (shape[i] < 0 || strides[i] < 0) throw new OverflowException();
                count = checked(count * shape[i]);
                last = checked(last + (Math.Max(0, shape[i] - 1) * strides[i]));
            }

            // A view may repeat elements without end (stride 0); such a saved tensor is rejected as unsafe.
            if (count > storage.Count || (count > 0 && last >= storage.Count)) throw new OverflowException();
        }
        catch (OverflowException e)
        {
            throw new WeightsException(
                $"{path} has a tensor of shape [{string.Join(", ", shape)}] "
                    + $"and strides [{string.Join(", ", strides)}] from element {offset} on that "
                + $"does not lie within its storage of {storage.Count} elements.", e);
        }

        return new PickledTensor(storage, offset, shape, strides);
    }

    /// <summary>Creates an empty module of a TorchScript archive.</summary>
    private object Instance(object? type, object? arguments) =>
        type is GlobalName passed && PassedOver.Contains(passed.Name) ? new Nothing()
        : type is GlobalName global && global.Name.StartsWith(ScriptClasses, StringComparison.Ordinal)
        && arguments is object?[] { Length: 0 }
            ? new ScriptModule()
            : throw Bad("makes an object of a class, which plain tensors do not need");

    /// <summary>
    /// Runs BUILD, which sets attributes: those of a TorchScript module are kept; a state dictionary's <c>_metadata</c> is dropped.
    /// </summary>
    private void Build()
    {
        var state = Pop();
        switch (Peek())
        {
            case ScriptModule module when state is Dictionary<object, object?> attributes:
                Spend(attributes.Count);
                foreach (var (name, value) in attributes) module[name] = value;
                break;
            case Nothing:
                break;
            case ScriptModule or not Dictionary<object, object?>:
                throw Bad("sets attributes of an object that is not a dictionary, which is refused");
        }
    }

    private PickledStorage Storage(object? id)
    {
        if (id is object?[] { Length: >= 5 } parts && parts[0] is "storage"
            && parts[1] is GlobalName type && Storages.TryGetValue(type.Name, out var element)
            && parts[2] is string key && parts[4] is long count and >= 0 && count <= long.MaxValue / 8)
        {
            var storage = new PickledStorage(key, element, count);
            if (parts is [_, _, _, _, _, object?[] { Length: 3 } view])
            {
                // A part of a storage, with its own key: files of 2016 and 2017.
                if (view[1] is not (long start and >= 0) || view[2] is not (long length and >= 0)
                    || start > count || length > count - start)
                    throw Bad("has a part of a storage that does not lie within it");
                storage = storage with { Count = length, Start = start, Whole = count };
            }

            storages?.Add(storage);
            return storage;
        }

        throw Bad("refers to a storage in a form that torch.save does not write for plain tensors");
    }

    private long[] Sizes(object? value)
    {
        if (value is not object?[] items || items.Length > 32 || items.Any(item => item is not long))
            throw Bad("has a tensor without proper sizes and strides");
        Spend(items.Length);
        return [.. items.Select(item => (long)item!)];
    }

    private Dictionary<object, object?> Fill(Dictionary<object, object?> target, object?[] items)
    {
        if (items.Length % 2 != 0) throw Bad("has a dictionary with a key but no value");
        for (var i = 0; i < items.Length; i += 2)
        {
            // Keys of other types cannot name a tensor; numbers and classes occur next to the weights in training checkpoints.
            if (items[i] is GlobalName or Nothing) continue;
            if (items[i] is not (string or long or double or bool)) throw Bad("has a dictionary whose key is neither text nor number");
            target[items[i]!] = items[i + 1];
        }

        return target;
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(code.Length - at)) throw Bad("breaks off in the middle of its pickle");
        at += (int)count;
        return code.AsSpan(at - (int)count, (int)count);
    }

    private string Line()
    {
        var length = code.AsSpan(at).IndexOf((byte)'\n');
        if (length is < 0 or > 1000) throw Bad("breaks off in the middle of its pickle");
        var line = Encoding.UTF8.GetString(Take((ulong)length));
        at++;
        return line;
    }

    private string Text(ulong length) => Encoding.UTF8.GetString(Take(length));

    /// <summary>A number of up to 64 bits as <see cref="long"/>; a larger one, the magic number, as <see cref="BigInteger"/>.</summary>
    private object Long(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 16) throw Bad("has a number of more than 128 bits");
        if (bytes.Length > 8) return new BigInteger(bytes);
        var value = bytes.Length > 0 && bytes[^1] >= 0x80 ? -1L : 0L;
        for (var i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        return value;
    }

    private object? Peek() => stack.Count > (marks.Count > 0 ? marks.Peek() : 0)
        ? stack[^1] : throw Bad("takes more from its pickle's stack than is there");

    private T Peek<T>(string kind) => Peek() is T value ? value : throw Bad($"adds to something that is not a {kind}");

    private object? Pop()
    {
        var value = Peek();
        stack.RemoveAt(stack.Count - 1);
        return value;
    }

    private object?[] Pops(int count)
    {
        var items = new object?[count];
        for (var i = count - 1; i >= 0; i--) items[i] = Pop();
        return items;
    }

    private object?[] PopToMark()
    {
        if (!marks.TryPop(out var mark)) throw Bad("takes more from its pickle's stack than is there");
        var items = stack.GetRange(mark, stack.Count - mark).ToArray();
        stack.RemoveRange(mark, stack.Count - mark);
        return items;
    }

    private object? Recall(long index) => memo.TryGetValue(index, out var value) ? value
        : throw Bad("recalls an object that it never made");

    private WeightsException Bad(string what) => new($"{path} {what}.");

    internal static string Short(string text) => text.Length <= 200 ? text : text[..200] + "...";

    private sealed record GlobalName(string Name);

    /// <summary>A skipped object.</summary>
    private sealed class Nothing;

    private sealed class ScriptModule() : Dictionary<object, object?>(PickleKeys.Instance);
}
