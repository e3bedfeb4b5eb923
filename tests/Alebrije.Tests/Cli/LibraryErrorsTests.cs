using System.Text.RegularExpressions;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Tests.Cli;

/// <summary>Frequent errors of the library in Spanish.</summary>
public sealed partial class LibraryErrorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-errors-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("El número de pasos es 1001; tiene que estar entre 1 y 1000.", "imagine", "un perro", "--steps", "1001")]
    [InlineData("El número de pasos del prior es 1; tiene que estar entre 2 y 1000.", "imagine", "un perro", "--prior-steps", "1")]
    [InlineData("El tamaño 100 no sirve: tiene que ser múltiplo de 32, de 32 a 2048; usa 96 o 128. "
        + "El modelo se hizo para 128, y su ampliador para 256.", "imagine", "un perro", "--size", "100")]
    [InlineData("El texto está vacío; di qué dibujar.", "imagine", "")]
    [InlineData("No hay ningún modelo «nada»; los nombres conocidos son mini", "imagine", "x", "--model", "nada")]
    [InlineData("No hay ningún muestreador nada; los hay: ddim", "imagine", "x", "--scheduler", "nada")]
    public async Task OfTheCommandLine_AreSpanish(string says, params string[] args) =>
        Assert.StartsWith(says, (await CommandLine.Run([.. args, "--lang", "es"])).Refusal, StringComparison.Ordinal);

    [Fact]
    public async Task OfFiles_AreSpanish()
    {
        var file = Path.Combine(folder, "vacio.png");
        File.WriteAllBytes(file, []);
        Assert.Equal($"{file} está vacío: se esperaba una imagen (PNG, JPEG, GIF, BMP o WebP).",
            (await CommandLine.Run("preprocess", file, "--lang", "es")).Refusal);
    }

    [Fact]
    public void Reasons_OfSkippedPictures_AreSpanish()
    {
        var reader = new PictureReader(upright: true);
        var whole = new RgbImage(8, 8, new byte[8 * 8 * 3]).ToPng();
        var damaged = whole.ToArray();
        damaged[40] ^= 1;
        (string Name, byte[] Bytes, string Reason)[] files =
        [
            ("a.png", [], "está vacía: se esperaba una imagen (PNG, JPEG, GIF, BMP o WebP)."),
            ("b.png", "text"u8.ToArray(), "no es una imagen que se pueda leer: se leen PNG, JPEG, GIF, BMP y WebP."),
            ("c.png", whole[..20], $"está truncada: una parte del archivo PNG necesita 13 bytes y quedan {20 - 8 - 12}."),
            ("d.png", damaged, "está dañada: la suma de comprobación en el byte "),
            ("e.jpg", [0xff, 0xd8, 0xff, 0xe0], "está dañada: empieza como un archivo JPEG, y el resto no se puede leer."),
        ];
        foreach (var (name, bytes, reason) in files)
        {
            var path = Path.Combine(folder, name);
            File.WriteAllBytes(path, bytes);
            Assert.Null(reader.Read(path));
            var skipped = reader.Skipped.Single(one => one.File == path);
            Assert.StartsWith(reason, LibraryErrors.In("es", skipped.Reason), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void OtherErrors_AndEnglish_StayAsTheyAre()
    {
        Assert.Equal("Something else.", LibraryErrors.In("es", "Something else."));
        Assert.Equal("The prompt is empty; say what to draw.", LibraryErrors.In("en", "The prompt is empty; say what to draw."));
    }

    [Fact]
    public void EverySentence_IsOneOfTheLibrary()
    {
        var code = string.Concat(new[] { "Alebrije", "Alebrije.Preprocessing", "Alebrije.Search", "Alebrije.Server" }.SelectMany(project =>
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", project), "*.cs", SearchOption.AllDirectories))
            .Select(File.ReadAllText));
        // Literals that are joined over several lines are one sentence.
        code = Joint().Replace(code, "");
        foreach (var error in LibraryErrors.All)
        {
            var longest = Hole().Split(error.En).MaxBy(part => part.Length)!.Trim();
            Assert.True(code.Contains(longest, StringComparison.Ordinal), $"No sentence of the library has \"{longest}\".");
            Assert.Equal(Hole().Matches(error.En).Select(hole => hole.Value).Order(),
                Hole().Matches(error.Es).Select(hole => hole.Value).Order());
        }
    }

    [GeneratedRegex(@"\{[0-9]\}", RegexOptions.ExplicitCapture)]
    private static partial Regex Hole();

    [GeneratedRegex(@"""\s*\+\s*\$?""")]
    private static partial Regex Joint();
}
