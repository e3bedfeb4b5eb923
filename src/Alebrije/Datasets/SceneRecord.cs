using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>A line of <c>captions.jsonl</c>: an image and one caption of it.</summary>
/// <param name="File">The image's file name, in the folder of captions.jsonl.</param>
/// <param name="Caption">Caption in the language of <paramref name="Lang"/>.</param>
/// <param name="Lang">"en" or "es".</param>
/// <param name="Objects">English names of the objects, in the order of <paramref name="Relation"/>; repeated for copies.</param>
/// <param name="Background">English name of the background's colour; null if the style hides it.</param>
/// <param name="Relation">"left_of" and the like, where the first object is relative to the second; null for one concept.</param>
/// <param name="Style">"plain", "pencil_sketch" and the like.</param>
public sealed record SceneRecord(
    string File, string Caption, string Lang, IReadOnlyList<string> Objects, string? Background, string? Relation, string Style)
{
    /// <summary>The scene's record with a caption in a language.</summary>
    public static SceneRecord Of(EmojiWorld world, Scene scene, string file, Language language, CaptionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(scene);
        return new SceneRecord(
            file, world.Caption(scene, language, options), language.Code(),
            [.. scene.Objects.Select(o => o.Concept.Name(Language.English))],
            scene.ShowsBackground ? scene.Background.Name(Language.English) : null,
            scene.Relation == SceneRelation.None ? null : Snake(scene.Relation.ToString()), Snake(scene.Style.ToString()));
    }

    /// <summary>
    /// Writes images 00000.png, 00001.png, ... and captions.jsonl with a line for each image and language into a folder.
    /// </summary>
    /// <param name="world">The world.</param>
    /// <param name="scenes">Scenes to draw.</param>
    /// <param name="folder">Made if it is not there; images of these names are replaced.</param>
    /// <param name="size">Side of the images in pixels, 16 to 512.</param>
    /// <param name="languages">Languages of the captions; null for both.</param>
    /// <returns>The records in the file's order.</returns>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static IReadOnlyList<SceneRecord> Export(
        EmojiWorld world, IEnumerable<Scene> scenes, string folder, int size = Scene.Side, IReadOnlyList<Language>? languages = null)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(scenes);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        WrittenFile.MakeFolder(folder);
        var records = new List<SceneRecord>();
        foreach (var (number, scene) in scenes.Index())
        {
            var file = $"{number:D5}.png";
            new RgbImage(size, size, world.Render(scene, size)).SavePng(Path.Combine(folder, file));
            records.AddRange((languages ?? [Language.English, Language.Spanish]).Select(language => Of(world, scene, file, language)));
        }
        WrittenFile.Write(Path.Combine(folder, ImageFolder.CaptionsFile),
            string.Concat(records.Select(record => record.ToJson() + "\n")));
        return records;
    }

    /// <summary>The record as one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, JsonForms.Line);

    private static string Snake(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
