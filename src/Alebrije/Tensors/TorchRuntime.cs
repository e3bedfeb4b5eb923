using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Alebrije.Preprocessing;
using TorchSharp;

namespace Alebrije.Tensors;

/// <summary>Raised when the native tensor library cannot be loaded; the message contains the cause and a remedy.</summary>
public sealed class TorchRuntimeException : Exception
{
    /// <summary>Creates the exception with a message.</summary>
    public TorchRuntimeException(string message) : base(message) { }

    /// <summary>Creates the exception with a message and the loader's exception.</summary>
    public TorchRuntimeException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public TorchRuntimeException() { }
}

/// <summary>
/// Starts libtorch. Call <see cref="Initialize"/> before the first TorchSharp call: on systems whose C++ library is older than the one
/// TorchSharp was built with (Debian 12, Ubuntu 22.04) it loads a copy of TorchSharp's shim in which the one missing symbol, an empty
/// function, is redirected.
/// </summary>
public static class TorchRuntime
{
    /// <summary>Most threads of tensor operations.</summary>
    public const int MostThreads = 1024;

    private static readonly Lock Gate = new();
    private static bool started;

    /// <summary>Source of the native library: <c>"as shipped"</c> or the path of the patched copy; null before start-up.</summary>
    public static string? LoadedFrom { get; private set; }

    /// <summary>Folder of libtorch, or null if none was found.</summary>
    public static string? NativeFolder { get; private set; }

    /// <summary>
    /// Number of threads of tensor operations. Rounding depends on it: the same seed gives the same bytes only for the same number.
    /// </summary>
    public static int Threads
    {
        get
        {
            Initialize();
            return torch.get_num_threads();
        }
    }

    /// <summary>
    /// OpenMP's wait policy (<c>OMP_WAIT_POLICY</c>), <c>passive</c> unless the user set one of its variables; null before start-up.
    /// </summary>
    public static string? WaitPolicy => NativeEnvironment.WaitPolicy;

    /// <summary>Duration of loading libtorch, in seconds; 0 before start-up.</summary>
    internal static double StartSeconds { get; private set; }

    /// <summary>Loads libtorch once; later calls return immediately. Thread-safe.</summary>
    /// <param name="threads">Threads for tensor operations, 1 to 1024; null: libtorch's default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of threads is out of its range.</exception>
    /// <exception cref="TorchRuntimeException">The library is missing or incompatible with this system.</exception>
    public static void Initialize(int? threads = null)
    {
        // libtorch aborts the process on both.
        if (threads is < 1 or > MostThreads)
        {
            throw new ArgumentOutOfRangeException(
                nameof(threads), $"The number of threads is {threads}, but must be between 1 and {MostThreads}.");
        }

        lock (Gate)
        {
            if (!started)
            {
                NativeEnvironment.Prepare();
                var clock = Stopwatch.StartNew();
                NativeFolder = FindNativeFolder();
                if (OperatingSystem.IsLinux()) LoadedFrom = LoadOnLinux(NativeFolder);
                LoadedFrom ??= "as shipped";
                try
                {
                    torch.InitializeDeviceType(DeviceType.CPU);
                }
                catch (Exception e) when (e is NotSupportedException or TypeInitializationException or DllNotFoundException)
                {
                    throw new TorchRuntimeException(Absent(NativeFolder, Platform)
                        ?? $"libtorch could not be started: {FirstLine(e.Message)} "
                            + $"Build the project again so that its native package is restored, "
                        + "or run `alebrije doctor` to see what this machine lacks.", e);
                }

                (started, StartSeconds) = (true, clock.Elapsed.TotalSeconds);
            }

            // libtorch throws on setting the number, even an equal one, while another thread computes.
            if (threads is { } count && count != torch.get_num_threads()) torch.set_num_threads(count);
        }
    }

    /// <summary>Version of the native packages for this TorchSharp.</summary>
    internal const string LibtorchVersion = "2.10.0";

    /// <summary>Platforms with a package of libtorch.</summary>
    private static readonly string[] Platforms = ["linux-x64", "win-x64", "win-arm64", "osx-arm64"];

    private static string LibraryName => OperatingSystem.IsWindows() ? "LibTorchSharp.dll"
        : OperatingSystem.IsMacOS() ? "libLibTorchSharp.dylib" : "libLibTorchSharp.so";

    private static string LibtorchName => OperatingSystem.IsWindows() ? "torch_cpu.dll"
        : OperatingSystem.IsMacOS() ? "libtorch_cpu.dylib" : "libtorch_cpu.so";

    /// <summary>This platform by its name in packages, independent of the system's .NET.</summary>
    private static string Platform =>
        $"{(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")}-"
            + $"{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    private static string? FindNativeFolder()
    {
        var searched = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        return new[] { AppContext.BaseDirectory, Path.GetDirectoryName(typeof(torch).Assembly.Location) ?? "" }
            .SelectMany(root => new[] { root, NativeOf(root, RuntimeInformation.RuntimeIdentifier), NativeOf(root, Platform) })
            .Concat(searched.Split(Path.PathSeparator))
            .FirstOrDefault(folder => Path.IsPathRooted(folder) && File.Exists(Path.Combine(folder, LibraryName)));
    }

    private static string NativeOf(string root, string platform) => Path.Combine(root, "runtimes", platform, "native");

    /// <summary>Error message for a native library missing from the program's packages; null if the folder has both.</summary>
    /// <param name="folder">Folder of TorchSharp's own native library; null if none was found.</param>
    /// <param name="platform">Platform by its name in packages.</param>
    internal static string? Absent(string? folder, string platform)
    {
        if (folder is not null && File.Exists(Path.Combine(folder, LibtorchName))) return null;
        return Platforms.Contains(platform)
            ? $"libtorch is not among the program's files ({AppContext.BaseDirectory}): "
                + $"add the package libtorch-cpu-{platform} {LibtorchVersion} to the program's project "
                + $"(dotnet add package libtorch-cpu-{platform} --version {LibtorchVersion})."
            : $"libtorch has no package for {platform}; it has one for {string.Join(", ", Platforms[..^1])} and {Platforms[^1]}.";
    }

    private static string? LoadOnLinux(string? folder)
    {
        if (folder is null) throw new TorchRuntimeException(Absent(null, Platform)!);
        var library = Path.Combine(folder, LibraryName);
        var first = TryLoad(library);
        if (first is null) return null;
        if (!first.Contains("GLIBCXX_3.4.32", StringComparison.Ordinal))
            throw new TorchRuntimeException(Absent(folder, Platform) ?? $"libtorch could not be loaded: {FirstLine(first)}");

        foreach (var dependency in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
            if (TryLoad(Path.Combine(folder, dependency)) is { } reason)
                throw new TorchRuntimeException(Absent(folder, Platform) ?? $"{dependency} could not be loaded: {FirstLine(reason)}");
        string patched;
        var own = (string?)null;
        try
        {
            // Other users may write into the temporary folder: a copy there goes into a new folder of this user and for this process only.
            patched = WritePatchedCopy(library, [.. CacheRoots()], () => own = Directory.CreateTempSubdirectory("alebrije-").FullName);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new TorchRuntimeException(
                "This system's C++ library (libstdc++) is older than the one TorchSharp was built with (GCC 13.2), and the redirected copy "
                + $"could not be made: {FirstLine(e.Message)} Use Debian 13, Ubuntu 24.04 or newer, or the .NET container image.", e);
        }

        var second = TryLoad(patched);

        // A loaded library does not need its file.
        if (own is not null) Directory.Delete(own, recursive: true);
        return second is null ? patched : throw new TorchRuntimeException(
            "This system's C++ library (libstdc++) is too old for TorchSharp even after redirecting its one missing symbol: "
            + $"{FirstLine(second)} Use Debian 12, Ubuntu 22.04 or newer.");
    }

    /// <summary>Loads a library; returns null on success, else the loader's message.</summary>
    private static string? TryLoad(string path)
    {
        try
        {
            NativeLibrary.Load(path);
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return e.Message;
        }
    }

    /// <summary>
    /// Writes the redirected copy into the first writable cache folder that is this user's alone, or reuses an intact one there.
    /// </summary>
    /// <param name="library">The library as shipped.</param>
    /// <param name="roots">Cache folders of this user.</param>
    /// <param name="lastResort">Creates a folder if none of them is writable.</param>
    /// <returns>Path of the copy.</returns>
    /// <exception cref="InvalidDataException">The library cannot be redirected.</exception>
    /// <exception cref="IOException">No folder is writable.</exception>
    internal static string WritePatchedCopy(string library, IReadOnlyList<string> roots, Func<string> lastResort)
    {
        var bytes = File.ReadAllBytes(library);
        var name = Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
        GlibcxxPatch.Apply(bytes);
        for (var i = 0; i <= roots.Count; i++)
        {
            try
            {
                var root = i < roots.Count ? roots[i] : lastResort();
                var folder = OwnFolder(root, "alebrije", "runtime", name);
                var target = Path.Combine(folder, LibraryName);
                if (!FileStatus.IsPrivate(folder)) continue;
                if (File.Exists(target) && File.ReadAllBytes(target).AsSpan().SequenceEqual(bytes)) return target;
                var temporary = target + "." + Environment.ProcessId;
                try
                {
                    File.WriteAllBytes(temporary, bytes);
                    File.Move(temporary, target, overwrite: true);
                }
                catch
                {
                    // A full disk leaves a torn file, and the last resort is a folder made for this call.
                    File.Delete(temporary);
                    if (i == roots.Count) Directory.Delete(root, recursive: true);
                    throw;
                }

                return target;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }
        }

        throw new IOException("neither the cache folder nor the temporary folder is writable.");
    }

    /// <summary>Creates a folder writable by this user alone; throws below another user's folder.</summary>
    private static string OwnFolder(string root, params string[] names)
    {
        var folder = Directory.CreateDirectory(root).FullName;
        foreach (var name in names)
        {
            folder = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;

            // Only the owner may set the mode.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return folder;
    }

    private static IEnumerable<string> CacheRoots()
    {
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache) yield return cache;
        if (Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home) yield return Path.Combine(home, ".cache");
    }

    private static string FirstLine(string text)
    {
        var line = text.Split('\n')[0].Trim();
        return line.EndsWith('.') ? line : line + ".";
    }
}
