using System.Numerics.Tensors;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>Examples for Flamingo's prompts: read from a file, and chosen by their likeness to an image.</summary>
public static class FlamingoShots
{
    /// <summary>Name of the list in a folder.</summary>
    public const string FileName = "captions.jsonl";

    private static readonly string[] ImageKeys = ["image", "file_name", "file"];
    private static readonly string[] AnswerKeys = ["answer", "caption", "text"];

    /// <summary>
    /// Reads a list: a JSON object on every line with an image (<c>image</c>, <c>file_name</c> or <c>file</c>, relative to the list), an
    /// <c>answer</c>, <c>caption</c> or <c>text</c>, and, for questions, a <c>question</c>.
    /// </summary>
    /// <param name="path">The list, or a folder with <c>captions.jsonl</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such list, or an image of it is missing.</exception>
    /// <exception cref="InvalidDataException">A line is wrong; the message names it.</exception>
    /// <exception cref="ImageFormatException">A file is not an image.</exception>
    public static IReadOnlyList<FlamingoShot> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        if (!File.Exists(file)) throw new FileNotFoundException($"There is no list of examples {file}.", file);
        var shots = new List<FlamingoShot>();
        var number = 0;
        foreach (var line in RegularFile.ReadLines(file))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line)) shots.Add(Shot(file, number, line));
        }

        return shots.Count > 0 ? shots : throw new InvalidDataException($"{file} has no examples.");
    }

    /// <summary>
    /// The examples nearest to an image (RICES, Yang et al., 2022), the nearest last, next to the image's own text.
    /// </summary>
    /// <param name="shots">[examples][dimensions] embeddings of unit length.</param>
    /// <param name="image">[dimensions] embedding of unit length.</param>
    /// <param name="count">Number of examples wanted.</param>
    /// <returns>Indices of at most <paramref name="count"/> examples.</returns>
    public static int[] Nearest(float[][] shots, float[] image, int count)
    {
        ArgumentNullException.ThrowIfNull(shots);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return [.. Enumerable.Range(0, shots.Length)
            .OrderByDescending(i => TensorPrimitives.Dot<float>(shots[i], image)).Take(count).Reverse()];
    }

    private static FlamingoShot Shot(string file, int number, string line)
    {
        try
        {
            using var json = JsonText.Parse(line);
            var image = Text(json.RootElement, ImageKeys) ?? throw Wrong("names no image");
            var answer = Text(json.RootElement, AnswerKeys) ?? throw Wrong("has no answer, caption or text");
            var path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, image);
            if (!File.Exists(path)) throw new FileNotFoundException($"{file}, line {number}: there is no image {path}.", path);
            return new FlamingoShot(RgbImage.LoadUpright(path), answer, Text(json.RootElement, ["question"]));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}, line {number}: this is not a JSON object.", e);
        }

        InvalidDataException Wrong(string what) => new($"{file}, line {number} {what}.");
    }

    private static string? Text(JsonElement item, string[] keys)
    {
        if (item.ValueKind != JsonValueKind.Object) return null;
        foreach (var key in keys)
            if (item.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String) return value.GetString();
        return null;
    }
}
