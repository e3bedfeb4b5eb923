using System.IO.MemoryMappedFiles;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Alebrije.Preprocessing;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Sizes of a cache of scenes.</summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Batch">Scenes of a step.</param>
/// <param name="Fresh">Scenes encoded for each step.</param>
/// <param name="Window">Scenes among which those of a step are drawn, a multiple of <paramref name="Fresh"/>.</param>
internal sealed record SceneWindow(ulong Seed, int Batch, int Fresh, int Window)
{
    /// <exception cref="WeightsException">The sizes do not fit together; one sentence.</exception>
    public static void Check(int batch, int uses, int window)
    {
        if (uses < 1 || batch % uses != 0)
            throw new WeightsException($"uses is {uses}, but it must divide the batch of {batch}: new scenes are encoded for every step.");
        if (window < batch || window % (batch / uses) != 0) throw new WeightsException(
            $"window is {window}, but it must be a multiple of {batch / uses} (batch / uses) and hold a batch of {batch}.");
    }
}

/// <summary>
/// Encoded scenes of a run in a file of fixed size, half precision: a window that rolls over the run's scenes. Before every step,
/// one thread encodes new scenes that replace the oldest; the batch is drawn from the window. A batch depends on the run's seed and
/// the step alone, so a resumed run gets the same batches; scenes that are still in the file are not encoded again.
/// </summary>
internal sealed class SceneCache : IBatches<EncodedScenes>
{
    /// <summary>Scenes kept beyond the window, as a share of it: a run that goes on from its last checkpoint finds them.</summary>
    private const double Slack = 0.5;

    private const int HeaderBytes = 64;
    private readonly long[][] shapes;
    private readonly int sceneNumbers, slotBytes, fresh, window, capacity, batch;
    private readonly ulong seed;
    private readonly Func<long, EncodedScenes> encode;
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly BatchQueue<EncodedScenes?> ahead;
    private long made, step;

    /// <param name="path">The file; scenes of another run in it are dropped.</param>
    /// <param name="sizes">Seed, batch, window.</param>
    /// <param name="identity">Describes all that the encoded scenes depend on besides their number.</param>
    /// <param name="shapes">Shapes of one scene's tensors.</param>
    /// <param name="encode">Encodes group i: scenes i * fresh and the following.</param>
    /// <param name="step">The first step.</param>
    public SceneCache(string path, SceneWindow sizes, string identity, long[][] shapes, Func<long, EncodedScenes> encode, long step)
    {
        (this.shapes, this.encode, this.step, seed, batch, fresh, window) = (shapes, encode, step, sizes.Seed, sizes.Batch, sizes.Fresh,
            sizes.Window);
        sceneNumbers = shapes.Sum(shape => (int)shape.Aggregate((a, b) => a * b));
        slotBytes = sizeof(long) + (sceneNumbers * 2);
        capacity = window + ((int)(Slack * window / fresh) * fresh);
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{identity}|{seed}|{fresh}|{capacity}|{sceneNumbers}"));
        var size = HeaderBytes + ((long)capacity * slotBytes);
        var known = File.Exists(path) && new FileInfo(path).Length == size && Header(path).AsSpan().SequenceEqual(key);
        if (!known) Allocate(path, size);
        file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, size);
        view = file.CreateViewAccessor();
        if (!known)
        {
            for (var slot = 0; slot < capacity; slot++) view.Write(Offset(slot), -1L);
            view.WriteArray(0, key, 0, key.Length);
        }

        made = Made(step) - fresh;
        for (var group = Math.Max(0, Made(step) - window) / fresh; group < made / fresh; group++)
        {
            if (Holds(group)) continue;
            using var scope = NewDisposeScope();
            Store(group, encode(group));
        }

        ahead = new BatchQueue<EncodedScenes?>(Encode, made / fresh, ahead: 2);
    }

    /// <summary>
    /// Writes an empty file of a size. A file that is only as long as that has holes, and a process that writes into a hole through its
    /// memory is ended by the system when the disk is full.
    /// </summary>
    private static void Allocate(string path, long size)
    {
        DiskSpace.Require(path, size);
        WrittenFile.Write(path, size, (stream, left) =>
        {
            var zeros = new byte[1 << 20];
            for (; left > 0; left -= zeros.Length) stream.Write(zeros, 0, (int)Math.Min(left, zeros.Length));
        });
    }

    /// <summary>The scenes of the next step, all different.</summary>
    public EncodedScenes Next()
    {
        var group = made / fresh;
        if (ahead.Next() is { } scenes)
        {
            Store(group, scenes);
            foreach (var part in scenes.Parts) part.Dispose();
        }

        made += fresh;
        var first = Math.Max(0, made - window);
        var random = ConditionDropout.Generator(seed + 0x63616368, step++);
        var chosen = new HashSet<long>();
        while (chosen.Count < batch) chosen.Add(first + random.NextInt64(made - first));
        return Read([.. chosen]);
    }

    /// <summary>Scenes made for a step: the first batch finds four times as many scenes as it needs.</summary>
    private long Made(long step) => ((long)Math.Min(4 * batch, window) / fresh * fresh) + (step * fresh);

    private long Offset(long scene) => HeaderBytes + (scene % capacity * slotBytes);

    /// <summary>True if all scenes of a group are in the file.</summary>
    private bool Holds(long group)
    {
        for (var i = 0; i < fresh; i++)
            if (view.ReadInt64(Offset((group * fresh) + i)) != (group * fresh) + i) return false;
        return true;
    }

    private EncodedScenes? Encode(long group)
    {
        if (Holds(group)) return null;
        using var scope = NewDisposeScope();
        var scenes = encode(group);
        foreach (var part in scenes.Parts) part.DetachFromDisposeScope();
        return scenes;
    }

    private void Store(long group, EncodedScenes scenes)
    {
        var halves = new Half[sceneNumbers];
        var parts = scenes.Parts.Select(part => part.contiguous().data<float>().ToArray()).ToArray();
        for (var i = 0; i < fresh; i++)
        {
            var at = 0;
            foreach (var numbers in parts)
            {
                var count = numbers.Length / fresh;
                TensorPrimitives.ConvertToHalf(numbers.AsSpan(i * count, count), halves.AsSpan(at, count));
                at += count;
            }

            // A number that is written last marks the scene as whole.
            var scene = (group * fresh) + i;
            view.Write(Offset(scene), -1L);
            view.WriteArray(Offset(scene) + sizeof(long), MemoryMarshal.Cast<Half, ushort>(halves).ToArray(), 0, halves.Length);
            view.Write(Offset(scene), scene);
        }
    }

    private EncodedScenes Read(long[] scenes)
    {
        var numbers = shapes.Select(shape => new float[scenes.Length * shape.Aggregate((a, b) => a * b)]).ToArray();
        var halves = new ushort[sceneNumbers];
        for (var i = 0; i < scenes.Length; i++)
        {
            view.ReadArray(Offset(scenes[i]) + sizeof(long), halves, 0, halves.Length);
            var at = 0;
            foreach (var part in numbers)
            {
                var count = part.Length / scenes.Length;
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(halves.AsSpan(at, count)), part.AsSpan(i * count, count));
                at += count;
            }
        }

        var tensors = numbers.Select((part, i) => tensor(part, [scenes.Length, .. shapes[i]])).ToArray();
        return new EncodedScenes(tensors) { Numbers = scenes };
    }

    private static byte[] Header(string path)
    {
        using var stream = RegularFile.Open(path);
        var header = new byte[SHA256.HashSizeInBytes];
        stream.ReadExactly(header);
        return header;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ahead.Dispose();
        view.Dispose();
        file.Dispose();
    }
}
