namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Memory of decoded images, before it is taken: one image may take half of the free memory, and a small file no more than files of its
/// size honestly do. Images that are decoded at the same time inside <see cref="Share"/> have one budget together.
/// </summary>
internal static class ImageBudget
{
    /// <summary>Bytes that an image of any file may take.</summary>
    public const long SmallFile = 768L << 20;

    /// <summary>Bytes of memory for each byte of a larger file: a hundred times is more than photographs need.</summary>
    private const long PerByte = 100;

    /// <summary>Bytes of an image that are not counted.</summary>
    private const long Small = 64L << 20;

    /// <summary>Bytes of all images that are decoded at once.</summary>
    private const long Together = 4L << 30;

    private static readonly Lock Gate = new();
    private static readonly SemaphoreSlim Returned = new(0);
    private static long taken;
    private static int waiting;

    [ThreadStatic] private static Loan? current;

    /// <summary>Free memory, in bytes; replaced by tests.</summary>
    internal static Func<long> Free { get; set; } = FreeMemory.Bytes;

    /// <summary>
    /// Until disposed, images that this thread decodes are counted with those of other threads; a large one waits for them.
    /// </summary>
    public static IDisposable Share() => current = new Loan(current);

    /// <summary>Takes the memory of an image, or refuses it.</summary>
    /// <param name="pixels">Width and height.</param>
    /// <param name="pixelBytes">Bytes of a pixel while it is decoded and converted to RGB.</param>
    /// <param name="fileBytes">Size of its file.</param>
    /// <param name="name">Name of the image, for the error.</param>
    /// <exception cref="ImageFormatException">It needs more than there is, or than a file of its size does.</exception>
    public static void Require((long Width, long Height) pixels, int pixelBytes, long fileBytes, string name)
    {
        var bytes = pixels.Width * pixels.Height * pixelBytes;
        if (bytes <= Small) return;
        if (bytes > Math.Max(SmallFile, fileBytes * PerByte))
            throw new ImageFormatException($"{name} is too large: its header states {pixels.Width} x {pixels.Height}, which takes "
                + $"{bytes >> 20} MB of memory for a file of {fileBytes} bytes; make it smaller, or save it as JPEG.");
        var free = Free();
        if (bytes > free / 2)
            throw new ImageFormatException($"{name} is too large: {pixels.Width} x {pixels.Height} pixels take "
                + $"{bytes >> 20} MB of memory, and {free >> 20} MB are free; make it smaller, or close other programs.");
        current?.Take(bytes, Math.Min(Together, free / 2));
    }

    /// <summary>The memory of one thread's images.</summary>
    private sealed class Loan(Loan? outer) : IDisposable
    {
        private long mine;

        public void Take(long bytes, long most)
        {
            while (true)
            {
                lock (Gate)
                {
                    // Whoever has something already never waits, so that no two wait for each other.
                    if (taken == 0 || mine > 0 || taken + bytes <= most)
                    {
                        (taken, mine) = (taken + bytes, mine + bytes);
                        return;
                    }

                    waiting++;
                }

                Returned.Wait();
            }
        }

        public void Dispose()
        {
            current = outer;
            if (mine == 0) return;
            lock (Gate)
            {
                (taken, mine) = (taken - mine, 0);
                if (waiting > 0) Returned.Release(waiting);
                waiting = 0;
            }
        }
    }
}
