using Alebrije.Evaluation;
using SkiaSharp;

namespace Alebrije.Benchmarks;

/// <summary>Embedding of a folder of 1,000 generated JPEGs (640 x 480, quality 90) by a CLIP of ViT-B/32's size.</summary>
internal static class FolderOfJpegs
{
    private const int Pictures = 1000, Width = 640, Height = 480, Quality = 90, Share = 64;

    /// <summary>Runs the benchmark.</summary>
    /// <param name="rounds">Number of rounds of both ways; the long run follows.</param>
    public static void Run(int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-jpegs-").FullName;
        try
        {
            var paths = Enumerable.Range(0, Pictures).Select(i => Draw(Path.Combine(folder, $"{i:0000}.jpg"), i)).ToArray();
            foreach (var count in new[] { Pictures, 10 * Pictures })
            {
                var result = FolderBenchmark.Run(null, paths, (Share, count == Pictures ? rounds : 0, count));
                var ratio = double.IsNaN(result.Ratio) ? "" : $"x{result.Ratio:0.00} "
                    + $"(p10-p90 {result.Low:0.00}-{result.High:0.00}) the serial fp32 way, least cosine {result.Cosine:0.000000}; ";
                Console.WriteLine($"{count} pictures at {result.PerSecond:0.0} a second; {ratio}peak memory {result.PeakBytes >> 20} MiB");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>An image of shapes and grain, for files of the size of photographs (about 70 KB).</summary>
    private static string Draw(string path, int seed)
    {
        var random = new Random(seed);
        using var bitmap = new SKBitmap(Width, Height);
        using (var canvas = new SKCanvas(bitmap))
        {
            canvas.Clear(Colour(random));
            for (var i = 0; i < 40; i++)
            {
                using var paint = new SKPaint { Color = Colour(random) };
                canvas.DrawCircle(random.Next(Width), random.Next(Height), random.Next(5, 90), paint);
            }
        }

        var pixels = bitmap.GetPixelSpan();
        unsafe
        {
            fixed (byte* first = pixels)
                for (var i = 0; i < pixels.Length; i++) first[i] = (byte)Math.Clamp(first[i] + random.Next(-12, 13), 0, 255);
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, Quality);
        File.WriteAllBytes(path, data.ToArray());
        return path;
    }

    private static SKColor Colour(Random random) => new((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
}
