using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>Contact sheets of generated images.</summary>
/// <param name="folder">Output folder; null writes none.</param>
internal sealed class PictureSheets(string? folder)
{
    private const int Most = 64, Cell = 176, Letters = 11;

    /// <summary>Writes <c>name.png</c> with the first images and their labels.</summary>
    public void Save(string name, string title, int columns, IReadOnlyList<(RgbImage Picture, string Label)> pictures, int most = Most)
    {
        if (folder is null) return;
        WrittenFile.MakeFolder(folder);
        var shown = pictures.Take(most).ToArray();
        var sheet = PictureSheet.Draw(
            [.. shown.Select(p => p.Picture)], [.. shown.Select(p => p.Label)],
            new PictureSheetOptions { Columns = columns, CellSize = Math.Max(Cell, shown.Max(p => p.Picture.Width)),
                TextSize = Letters, Title = title });
        sheet.SavePng(Path.Combine(folder, name + ".png"));
    }
}
