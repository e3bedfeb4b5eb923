using System.Runtime.InteropServices;
using TorchSharp;

namespace Alebrije.Tensors;

/// <summary>
/// Number of threads of the tensor operations that one thread calls. OpenMP keeps it per calling thread, so that several batches can be
/// computed side by side, each with its share of the cores: small networks lose a third of their speed to the barriers of two threads.
/// </summary>
internal static unsafe class LocalThreads
{
    /// <summary>Libraries that export OpenMP's functions or depend on the one that does: Linux, Windows, macOS.</summary>
    private static readonly string[] Libraries = ["libtorch_cpu.so", "libiomp5md.dll", "libomp.dylib"];

    private static readonly Lazy<nint> SetNumber = new(Find);

    /// <summary>Runs work whose tensor operations use a number of threads, and restores this thread's number.</summary>
    /// <param name="count">Threads, 1 or more. Without OpenMP's library the work runs with this thread's number.</param>
    /// <param name="work">The work; it must not change threads.</param>
    public static T Run<T>(int count, Func<T> work)
    {
        // Also sets this thread's number where it has none yet; libtorch would do so later, within the work.
        var usual = TorchRuntime.Threads;
        if (count == usual || SetNumber.Value == 0) return work();
        var set = (delegate* unmanaged<int, void>)SetNumber.Value;
        set(count);
        try
        {
            return work();
        }
        finally
        {
            set(usual);
        }
    }

    private static nint Find() => Libraries.Select(name => Path.Combine(TorchRuntime.NativeFolder ?? "", name))
        .Where(File.Exists).Select(Export).FirstOrDefault(address => address != 0);

    private static nint Export(string library) => NativeLibrary.TryLoad(library, out var handle)
        && NativeLibrary.TryGetExport(handle, "omp_set_num_threads", out var address) ? address : 0;
}
