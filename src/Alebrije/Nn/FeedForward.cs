using TorchSharp;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>
/// Feed-forward network of a transformer, with an inner width of four times the width (diffusers, models/attention.py, FeedForward) and
/// exact GELU or GEGLU (Shazeer, 2020).
/// </summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly FeedForwardStack net;

    public FeedForward(long width, bool gated, double dropout) : base(nameof(FeedForward))
    {
        net = new FeedForwardStack(width, gated, dropout);
        RegisterComponents();
    }

    /// <summary>The up-projection and the down-projection.</summary>
    public (LinearLayer Widen, LinearLayer Narrow) Projections => net.Projections;

    /// <summary>True if the up-projection is gated (GEGLU).</summary>
    public bool IsGated => net.IsGated;

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) => net.call(x);

    private sealed class FeedForwardStack : nn.Module<Tensor, Tensor>
    {
        private const int Expansion = 4;

        private readonly double dropout;
        [ComponentName(Name = "0")] private readonly Expand expand;
        [ComponentName(Name = "2")] private readonly LinearLayer contract;

        public FeedForwardStack(long width, bool gated, double dropout) : base(nameof(FeedForwardStack))
        {
            this.dropout = dropout;
            expand = new Expand(width, Expansion * width, gated);
            contract = Layers.Linear(Expansion * width, width);
            RegisterComponents();
        }

        public (LinearLayer Widen, LinearLayer Narrow) Projections => (expand.Projection, contract);

        public bool IsGated => expand.IsGated;

        public override Tensor forward(Tensor x)
        {
            using var scope = NewDisposeScope();
            return contract.call(expand.call(x).Drop(dropout, training)).MoveToOuterDisposeScope();
        }
    }

    private sealed class Expand : nn.Module<Tensor, Tensor>
    {
        private readonly bool gated;
        private readonly LinearLayer proj;

        public Expand(long width, long inner, bool gated) : base(nameof(Expand))
        {
            this.gated = gated;
            proj = Layers.Linear(width, gated ? 2 * inner : inner);
            RegisterComponents();
        }

        public LinearLayer Projection => proj;

        public bool IsGated => gated;

        public override Tensor forward(Tensor x)
        {
            var projected = proj.call(x);
            if (!gated) return nn.functional.gelu(projected);
            var halves = projected.chunk(2, dim: -1);                           // value, gate
            return halves[0] * nn.functional.gelu(halves[1]);
        }
    }
}
