using Alebrije.Nn;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// Attention of CLIP's towers, with optional recording of its probabilities: until a record is disposed, this thread's towers compute them
/// explicitly, so that gradients with respect to them exist.
/// </summary>
internal sealed class RecordedAttention : IDisposable
{
    [ThreadStatic] private static RecordedAttention? current;
    private readonly List<Tensor> probabilities = [];

    private RecordedAttention()
    {
    }

    /// <summary>[batch, heads, tokens, tokens] of every block since the start of the record, in order, with their graph.</summary>
    public IReadOnlyList<Tensor> Probabilities => probabilities;

    /// <summary>Starts a record on this thread.</summary>
    public static RecordedAttention Begin() => current = new RecordedAttention();

    /// <summary>softmax(q kᵀ / √d + mask) v.</summary>
    /// <param name="q">[batch, heads, tokens, head width]</param>
    /// <param name="k">As <paramref name="q"/>.</param>
    /// <param name="v">As <paramref name="q"/>.</param>
    /// <param name="mask">Added to the scores, broadcast to [batch, heads, tokens, tokens], or null.</param>
    /// <param name="causal">True if a token attends only to itself and earlier ones; ignored with a mask.</param>
    /// <returns>As <paramref name="q"/>.</returns>
    public static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? mask, bool causal)
    {
        if (current is not { } record) return nn.functional.scaled_dot_product_attention(q, k, v, mask, is_casual: causal && mask is null);
        var scores = Shapes.MatMul(q, k.transpose(-2, -1)) / Math.Sqrt(q.shape[^1]);
        if (mask is not null) scores = scores + mask;
        else if (causal) scores = scores + AttentionMask.Causal(q.shape[2], q, double.NegativeInfinity);
        var shares = scores.softmax(-1);
        record.probabilities.Add(shares.DetachFromDisposeScope());
        return Shapes.MatMul(shares, v);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ReferenceEquals(current, this)) current = null;
        foreach (var shares in probabilities) shares.Dispose();
    }
}
