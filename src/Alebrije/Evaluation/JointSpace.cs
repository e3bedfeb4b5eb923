using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>
/// The joint space of texts and images. Embeds in batches and keeps plain arrays of unit length, so that no tensor outlives its batch.
/// </summary>
/// <param name="images">Image encoder: [batch, features] of any length.</param>
/// <param name="texts">Text encoder: [batch, features] of any length.</param>
/// <param name="batch">Batch size.</param>
internal sealed class JointSpace(Func<RgbImage[], Tensor> images, Func<string[], Tensor> texts, int batch = 64)
{
    /// <summary>The space of a pipeline's text and image encoders.</summary>
    public static JointSpace Of(PriorStage embedder) => new(embedder.EncodeImages, texts => embedder.EncodeTexts(texts));

    /// <param name="pictures">Enumerated batch by batch, so they may be rendered lazily.</param>
    /// <param name="done">Called after each batch with the count done.</param>
    /// <returns>[pictures][features], unit length</returns>
    public float[][] Images(IEnumerable<RgbImage> pictures, Action<int>? done = null) => Embed(pictures, images, done);

    /// <returns>[texts][features], unit length</returns>
    public float[][] Texts(IEnumerable<string> prompts, Action<int>? done = null) => Embed(prompts, texts, done);

    /// <param name="embeddings">[n, features] of any length</param>
    /// <returns>[n][features], unit length</returns>
    public static float[][] Rows(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        var width = (int)embeddings.shape[1];
        return [.. ClipNetwork.Unit(embeddings).contiguous().data<float>().ToArray().Chunk(width)];
    }

    /// <param name="rows">[rows][features], unit length</param>
    /// <param name="columns">[columns][features], unit length</param>
    /// <returns>[rows][columns]: cosines</returns>
    public static double[][] Cosines(IReadOnlyList<float[]> rows, IReadOnlyList<float[]> columns)
    {
        var cosines = new double[rows.Count][];
        for (var i = 0; i < cosines.Length; i++)
        {
            cosines[i] = new double[columns.Count];
            for (var j = 0; j < columns.Count; j++)
                cosines[i][j] = System.Numerics.Tensors.TensorPrimitives.Dot<float>(rows[i], columns[j]);
        }

        return cosines;
    }

    private float[][] Embed<T>(IEnumerable<T> items, Func<T[], Tensor> encode, Action<int>? done)
    {
        var rows = new List<float[]>();
        foreach (var chunk in items.Chunk(batch))
        {
            using (NewDisposeScope()) rows.AddRange(Rows(encode(chunk)));
            done?.Invoke(rows.Count);
        }

        return [.. rows];
    }
}
