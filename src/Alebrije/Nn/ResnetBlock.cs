using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Form common to the residual blocks of a network.</summary>
/// <param name="Groups">Groups of the normalisation.</param>
/// <param name="Eps">Epsilon of the variance: 1e-5 in denoisers, 1e-6 in autoencoders.</param>
internal sealed record ResnetForm(long Groups, double Eps)
{
    /// <summary>Name of the activation.</summary>
    public string Activation { get; init; } = "silu";

    /// <summary>Width of the time embedding, or null for blocks without it.</summary>
    public long? TimeWidth { get; init; }

    /// <summary>True if time scales and shifts the normalised features, false if it is only added to them.</summary>
    public bool TimeScales { get; init; }

    /// <summary>True if the time embedding is already activated.</summary>
    public bool TimeIsActivated { get; init; }

    /// <summary>Divisor of the residual sum.</summary>
    public double OutputDivisor { get; init; } = 1;

    /// <summary>Dropout probability.</summary>
    public double Dropout { get; init; }
}

/// <summary>Resizing inside a residual block.</summary>
internal enum Resample
{
    /// <summary>No change.</summary>
    Keep,

    /// <summary>Halving by average pooling.</summary>
    Halve,

    /// <summary>Doubling by repetition.</summary>
    Double,
}

/// <summary>
/// Residual block of two convolutions, conditioned on time (diffusers, models/resnet.py, ResnetBlock2D). Resizing takes place between the
/// first activation and the first convolution, and on the skip connection.
/// </summary>
internal sealed class ResnetBlock : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly ResnetForm form;
    private readonly Resample resample;
    private readonly Func<Tensor, Tensor> activation;
    private readonly GroupNormLayer norm1, norm2;
    private readonly ConvolutionLayer conv1, conv2;
    private readonly LinearLayer? time_emb_proj;
    private readonly ConvolutionLayer? conv_shortcut;

    public ResnetBlock(long input, long output, ResnetForm form, Resample resample = Resample.Keep) : base(nameof(ResnetBlock))
    {
        (this.form, this.resample) = (form, resample);
        activation = Activation.Named(form.Activation);
        norm1 = Layers.GroupNorm(form.Groups, input, form.Eps);
        conv1 = Layers.Conv2d(input, output, 3, padding: 1);
        if (form.TimeWidth is { } time) time_emb_proj = Layers.Linear(time, form.TimeScales ? 2 * output : output);
        norm2 = Layers.GroupNorm(form.Groups, output, form.Eps);
        conv2 = Layers.Conv2d(output, output, 3, padding: 1);
        if (input != output) conv_shortcut = Layers.Conv2d(input, output, 1);
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="time">[batch, time width], or null for blocks without time.</param>
    /// <returns>[batch, output, h', w']</returns>
    public override Tensor forward(Tensor x, Tensor? time)
    {
        using var scope = NewDisposeScope();
        var change = norm1.call(x).Then(activation).Then(Resized).Then(conv1.call)
            .Then(map => Conditioned(map, time)).Then(activation)
            .Then(map => map.Drop(form.Dropout, training)).Then(conv2.call);

        var kept = Resized(x);
        if (conv_shortcut is not null) kept = conv_shortcut.call(kept);
        var sum = kept + change;
        return (form.OutputDivisor == 1 ? sum : sum / form.OutputDivisor).MoveToOuterDisposeScope();
    }

    private Tensor Conditioned(Tensor change, Tensor? time)
    {
        if (time_emb_proj is null) return norm2.call(change);
        if (time is null) throw new ArgumentException("This residual block is conditioned on time, but no time embedding was given.");
        // [batch, channels, 1, 1]
        var projected = time_emb_proj.call(form.TimeIsActivated ? time : activation(time)).unsqueeze(-1).unsqueeze(-1);
        if (!form.TimeScales) return (change + projected).Then(norm2.call);
        var halves = projected.chunk(2, dim: 1);                             // scale, shift
        return norm2.call(change).Then(map => addcmul(halves[1], map, 1 + halves[0], 1));
    }

    private Tensor Resized(Tensor x) => resample switch
    {
        Resample.Halve => nn.functional.avg_pool2d(x, 2, 2),
        Resample.Double => nn.functional.interpolate(x, [2 * x.shape[2], 2 * x.shape[3]]),
        _ => x,
    };
}
