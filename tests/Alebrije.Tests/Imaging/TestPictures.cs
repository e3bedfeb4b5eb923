namespace Alebrije.Tests.Imaging;

/// <summary>Generated images.</summary>
internal static class TestPictures
{
    /// <summary>Bytes of a small congruential generator: the same on every machine and version.</summary>
    public static byte[] Noise(int count, uint seed)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++)
        {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (byte)(seed >> 24);
        }
        return bytes;
    }
}
