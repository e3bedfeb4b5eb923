using Alebrije.Models.Flamingo;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>
/// Beam search for one prompt: the most probable texts are continued side by side, and ended ones compete by their score, the sum of
/// log-probabilities over the length to the power of the penalty (transformers, generation/utils.py, _beam_search).
/// </summary>
internal static class BeamSearch
{
    /// <param name="network">The network.</param>
    /// <param name="input">One prompt.</param>
    /// <param name="end">Id of the end token.</param>
    /// <param name="options">Beams, length and penalty.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public static GeneratedRow Run(
        FlamingoNetwork network, DecodingInput input, int end, FlamingoOptions options, CancellationToken cancellation)
    {
        var beams = new List<Beam> { new([], 0) };
        var ended = new List<(Beam Beam, double Score)>();
        using var state = new DecodingState(network, input, options.UsesCache);
        for (var step = 1; step <= options.MaxTokens; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (next, rows) = (new List<Beam>(), new List<long>());
            var rank = 0;
            foreach (var (from, id, own, sum) in Best(state.Predict(), beams, 2 * options.Beams))
            {
                var beam = new Beam([.. beams[from].Tokens, (id, own)], sum);
                if (options.StopsAtEnd && id == end)
                {
                    // An end that is not among the first beams would not have been continued either.
                    if (rank < options.Beams) ended.Add((beam, Score(beam, options)));
                }
                else if (next.Count < options.Beams)
                {
                    next.Add(beam);
                    rows.Add(from);
                }

                rank++;
            }

            ended = [.. ended.OrderByDescending(candidate => candidate.Score).Take(options.Beams)];
            beams = next;
            if (ended.Count == options.Beams && ended[^1].Score >= Score(beams[0], options)) break;
            if (step == options.MaxTokens) break;
            state.Select(tensor(rows.ToArray()));
            state.Append(tensor(beams.Select(beam => (long)beam.Tokens[^1].Id).ToArray(), [beams.Count, 1]));
        }

        var all = ended.Select(candidate => (candidate.Beam, candidate.Score, Ended: true))
            .Concat(ended.Count == options.Beams ? [] : beams.Select(beam => (Beam: beam, Score: Score(beam, options), Ended: false)));
        var best = all.MaxBy(candidate => candidate.Score);
        var row = new GeneratedRow { Ended = best.Ended };
        row.Tokens.AddRange(best.Beam.Tokens);
        return row;
    }

    /// <summary>The best continuations of all beams, the best first.</summary>
    private static IEnumerable<(int From, int Id, double Own, double Sum)> Best(Tensor predicted, List<Beam> beams, int count)
    {
        using var scope = NewDisposeScope();
        var vocabulary = predicted.shape[1];
        var sums = predicted + tensor(beams.Select(beam => (float)beam.Sum).ToArray()).unsqueeze(1);
        var (values, places) = sums.flatten().topk((int)Math.Min(count, sums.numel()));
        var (scores, order) = (values.data<float>().ToArray(), places.data<long>().ToArray());
        var own = predicted.flatten().index_select(0, places).data<float>().ToArray();
        return [.. order.Select((at, i) => ((int)(at / vocabulary), (int)(at % vocabulary), (double)own[i], (double)scores[i]))];
    }

    private static double Score(Beam beam, FlamingoOptions options) => beam.Sum / Math.Pow(beam.Tokens.Count, options.LengthPenalty);

    private sealed record Beam(IReadOnlyList<(int Id, double LogProbability)> Tokens, double Sum);
}
