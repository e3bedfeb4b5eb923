using Alebrije.Models.Flamingo;
using Alebrije.Preprocessing;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>A text under generation.</summary>
internal sealed class GeneratedRow
{
    /// <summary>New tokens and their log-probabilities.</summary>
    public List<(int Id, double LogProbability)> Tokens { get; } = [];

    /// <summary>True after the end token.</summary>
    public bool Ended { get; set; }
}

/// <summary>Rows of ids, padded on the left, with their images.</summary>
/// <param name="Ids">[batch, tokens] int64</param>
/// <param name="Mask">[batch, tokens] int64, 0 for padding.</param>
/// <param name="Media">[batch, images, latents, width], or null.</param>
internal sealed record DecodingInput(Tensor Ids, Tensor Mask, Tensor? Media);

/// <summary>Greedy decoding and sampling, token by token (transformers, generation/utils.py, _sample).</summary>
internal static class TextDecoding
{
    /// <param name="network">The network.</param>
    /// <param name="input">Prompts.</param>
    /// <param name="ends">Id of the end token and of padding.</param>
    /// <param name="options">Length, temperature, cache.</param>
    /// <param name="onToken">Called with the number of a text and its tokens so far after each new one, or null.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>The new tokens of each text.</returns>
    public static GeneratedRow[] Run(
        FlamingoNetwork network, DecodingInput input, (int End, int Pad) ends, FlamingoOptions options,
        Action<int, GeneratedRow>? onToken, CancellationToken cancellation)
    {
        var rows = Enumerable.Range(0, (int)input.Ids.shape[0]).Select(_ => new GeneratedRow()).ToArray();
        var random = new SeededRandom(options.Seed);
        using var state = new DecodingState(network, input, options.UsesCache);
        for (var step = 0; step < options.MaxTokens && !rows.All(row => row.Ended); step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var predicted = state.Predict();                                                 // [batch, vocabulary]
            var next = new long[rows.Length];
            var greedy = options.Temperature is null ? predicted.argmax(-1).data<long>().ToArray() : null;
            for (var i = 0; i < rows.Length; i++)
            {
                next[i] = ends.Pad;
                if (rows[i].Ended) continue;
                next[i] = greedy?[i] ?? Sampled(predicted[i], options, ref random);
                rows[i].Tokens.Add(((int)next[i], predicted[i, next[i]].ToDouble()));
                rows[i].Ended = options.StopsAtEnd && next[i] == ends.End;
                onToken?.Invoke(i, rows[i]);
            }

            state.Append(tensor(next, [rows.Length, 1]));
        }

        return rows;
    }

    /// <summary>
    /// A token drawn from the fewest that have a share of the probability (Holtzman et al., 2020, §3.1).
    /// </summary>
    /// <param name="logProbabilities">[vocabulary]</param>
    /// <param name="options">Temperature and share.</param>
    /// <param name="random">Source of the draw.</param>
    internal static long Sampled(Tensor logProbabilities, FlamingoOptions options, ref SeededRandom random)
    {
        using var scope = NewDisposeScope();
        var (values, ids) = (logProbabilities / options.Temperature!.Value).softmax(-1).sort(-1, descending: true);
        var (shares, order) = (values.data<float>().ToArray(), ids.data<long>().ToArray());
        var (count, sum) = (0, 0.0);
        while (count < shares.Length && sum < options.TopP) sum += shares[count++];
        var at = random.Unit() * sum;
        for (var i = 0; i < count; i++)
            if ((at -= shares[i]) < 0) return order[i];
        return order[count - 1];
    }
}

/// <summary>Ids so far, and the cache of their keys and values.</summary>
internal sealed class DecodingState : IDisposable
{
    private readonly FlamingoNetwork network;
    private readonly FlamingoCache? cache;
    private Tensor ids, mask;
    private Tensor? media, fresh;

    public DecodingState(FlamingoNetwork network, DecodingInput input, bool usesCache)
    {
        this.network = network;
        cache = usesCache ? new FlamingoCache() : null;
        (ids, mask) = (Own(input.Ids.alias()), Own(input.Mask.alias()));
        media = input.Media is { } images ? Own(images.alias()) : null;
    }

    /// <summary>Log-probabilities of the next token, [batch, vocabulary] float32.</summary>
    public Tensor Predict()
    {
        using var scope = NewDisposeScope();
        var logits = network.Predict(fresh ?? ids, media, mask, cache, (LastOnly: true, Record: null));
        return logits.select(1, 0).to(ScalarType.Float32).log_softmax(-1).MoveToOuterDisposeScope();
    }

    /// <param name="next">[batch, 1] int64</param>
    public void Append(Tensor next)
    {
        using var scope = NewDisposeScope();
        Replace(ref ids, cat([ids, next], dim: 1));
        Replace(ref mask, cat([mask, ones(next.shape, dtype: ScalarType.Int64)], dim: 1));
        if (cache is null) return;
        fresh?.Dispose();
        fresh = Own(next.alias());
    }

    /// <summary>Keeps a selection of the texts, in a new order.</summary>
    /// <param name="rows">[new batch] int64</param>
    public void Select(Tensor rows)
    {
        using var scope = NewDisposeScope();
        cache?.Select(rows);
        Replace(ref ids, ids.index_select(0, rows));
        Replace(ref mask, mask.index_select(0, rows));
        if (media is not null) Replace(ref media, media.index_select(0, rows));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        cache?.Dispose();
        ids.Dispose();
        mask.Dispose();
        media?.Dispose();
        fresh?.Dispose();
    }

    private static Tensor Own(Tensor tensor) => tensor.DetachFromDisposeScope();

    private static void Replace(ref Tensor field, Tensor value)
    {
        field.Dispose();
        field = Own(value);
    }
}
