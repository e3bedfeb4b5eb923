using Alebrije.Models.Flamingo;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>Log-likelihoods of answers: the prompt is computed once, and its cache is shared by all of them.</summary>
internal static class AnswerScores
{
    private const int Batch = 32;

    /// <param name="network">The network.</param>
    /// <param name="input">One prompt.</param>
    /// <param name="answers">[answers][tokens] ids, 1 or more each.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[answers]</returns>
    public static double[] Compute(FlamingoNetwork network, DecodingInput input, int[][] answers, CancellationToken cancellation)
    {
        var scores = new double[answers.Length];
        foreach (var places in Enumerable.Range(0, answers.Length).Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var cache = new FlamingoCache();
            var rows = places.Select(place => answers[place]).ToArray();
            var first = network.Predict(input.Ids, input.Media, input.Mask, cache, (LastOnly: true, Record: null));
            cache.Select(zeros(rows.Length, dtype: ScalarType.Int64));
            var logits = first.expand(rows.Length, -1, -1);                                  // [answers, 1, vocabulary]
            var ids = Padded(rows);
            if (ids.shape[1] > 1)
            {
                var media = input.Media?.expand(rows.Length, -1, -1, -1);
                logits = cat([logits, network.Predict(ids.narrow(1, 0, ids.shape[1] - 1), media, mask: null, cache)], dim: 1);
            }

            var own = logits.to(ScalarType.Float32).log_softmax(-1).gather(2, ids.unsqueeze(-1)).squeeze(-1).contiguous();
            var values = own.data<float>().ToArray();                                        // [answers · tokens]
            for (var i = 0; i < rows.Length; i++)
                for (var t = 0; t < rows[i].Length; t++) scores[places[i]] += values[(i * ids.shape[1]) + t];
        }

        return scores;
    }

    /// <summary>Rows padded on the right, where no token of an answer attends to the padding.</summary>
    private static Tensor Padded(int[][] rows)
    {
        var length = rows.Max(row => row.Length);
        return tensor(rows.SelectMany(row => row.Concat(Enumerable.Repeat(0, length - row.Length))).Select(id => (long)id).ToArray(),
            [rows.Length, length]);
    }
}
