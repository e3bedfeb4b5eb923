using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>Sheets of what was drawn, for people to look at.</summary>
/// <param name="folder">Where they go; null keeps none.</param>
internal sealed class PictureSheets(string? folder)
{
    private const int Most = 64, Cell = 176, Letters = 11;

    /// <summary>Writes <c>name.png</c> with the first pictures and what is said of each.</summary>
    public void Save(string name, string title, int columns, IReadOnlyList<(RgbImage Picture, string Label)> pictures, int most = Most)
    {
        if (folder is null) return;
        Directory.CreateDirectory(folder);
        var shown = pictures.Take(most).ToArray();
        var sheet = PictureSheet.Draw(
            [.. shown.Select(p => p.Picture)], [.. shown.Select(p => p.Label)],
            new PictureSheetOptions { Columns = columns, CellSize = Math.Max(Cell, shown.Max(p => p.Picture.Width)),
                TextSize = Letters, Title = title });
        sheet.SavePng(Path.Combine(folder, name + ".png"));
    }
}
