using Alebrije.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>
/// Layers of all networks, initialised as in PyTorch. Weights may stay float32 while activations are bfloat16: a layer computes in the type
/// of its input and casts its weights if they differ.
/// </summary>
internal static class Layers
{
    /// <summary>Fully connected layer over the last axis: [..., <paramref name="input"/>] → [..., <paramref name="output"/>].</summary>
    public static LinearLayer Linear(long input, long output, bool bias = true) => new(input, output, bias);

    /// <summary>
    /// Convolution with a square kernel: [batch, <paramref name="input"/>, h, w] → [batch, <paramref name="output"/>, h', w'].
    /// </summary>
    public static ConvolutionLayer Conv2d(long input, long output, long kernel, long stride = 1, long padding = 0, bool bias = true) =>
        new((input, output), kernel, (stride, padding), bias);

    /// <summary>Group normalisation of [batch, <paramref name="channels"/>, ...] with a learned scale and shift per channel.</summary>
    public static GroupNormLayer GroupNorm(long groups, long channels, double eps = 1e-5) => new(groups, channels, eps);

    /// <summary>Layer normalisation over the last axis, of size <paramref name="width"/>, with a learned scale and shift.</summary>
    public static LayerNormLayer LayerNorm(long width, double eps = 1e-5, bool bias = true) => new(width, eps, bias);

    /// <summary>Normalisation of [batch, <paramref name="channels"/>, h, w] by stored statistics of each channel.</summary>
    public static BatchNormLayer BatchNorm(long channels) => new(channels);

    /// <summary>Table of <paramref name="count"/> rows: ids [...] → [..., <paramref name="width"/>].</summary>
    public static EmbeddingLayer Embedding(long count, long width) => new(count, width);

    /// <summary>The parameter itself if the types agree, else a differentiable copy in the input's type.</summary>
    internal static Tensor As(this Parameter parameter, Tensor input) =>
        parameter.dtype == input.dtype ? parameter : parameter.to(input.dtype);

    /// <summary>Bound of PyTorch's default initialisation, Kaiming uniform with a = √5.</summary>
    internal static double DefaultBound(long fanIn) => fanIn > 0 ? 1 / Math.Sqrt(fanIn) : 0;
}

/// <summary>x · weightᵀ + bias, made by <see cref="Layers.Linear"/>.</summary>
internal sealed class LinearLayer : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly Parameter? bias;
    private PackedLinear? packed;

    public LinearLayer(long input, long output, bool bias) : base(nameof(LinearLayer))
    {
        if (input < 1 || output < 1)
            throw new ArgumentException($"A linear layer from {input} to {output} has no features: both sizes must be at least 1.");
        var bound = Layers.DefaultBound(input);
        weight = WeightInit.Uniform(bound, output, input);
        if (bias) this.bias = WeightInit.Uniform(bound, output);
        RegisterComponents();
    }

    /// <summary>The matrix, [output, input].</summary>
    public Parameter Weight => weight;

    /// <summary>Weight and bias of a layer that has both.</summary>
    public (Tensor Weight, Tensor Bias) Pair => (weight, bias ?? throw new InvalidOperationException("This layer has no bias."));

    /// <summary>The bias, [output], or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>
    /// Replaces the matrix by a packed one for inference, where this processor has products of packed matrices; the matrix itself becomes
    /// empty.
    /// </summary>
    /// <param name="type">
    /// Type of the products; int8 holds 8-bit integers with a step for each output. Null: that of the matrix.
    /// </param>
    public void Pack(ScalarType? type = null)
    {
        var wanted = type ?? weight.dtype;
        if (packed is not null || (wanted != ScalarType.Int8 && !OneDnn.Packs(wanted))) return;
        packed = new PackedLinear(weight, bias, wanted);
        using var quiet = no_grad();
        using var nothing = empty(0, weight.dtype);
        weight.set_(nothing);
    }

    /// <param name="input">[..., input]</param>
    /// <returns>[..., output]</returns>
    public override Tensor forward(Tensor input)
    {
        if (packed is null) return nn.functional.linear(input, weight.As(input), bias?.As(input));
        using var scope = NewDisposeScope();
        return packed.Call(input).to(input.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) packed?.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>Two-dimensional convolution, made by <see cref="Layers.Conv2d"/>.</summary>
internal sealed class ConvolutionLayer : nn.Module<Tensor, Tensor>
{
    /// <summary>Channels in one block of oneDNN's layouts for AVX-512.</summary>
    private const long Block = 16;

    /// <summary>Inputs of up to this many elements use libtorch's fallback when they are one sample.</summary>
    private const long SmallInput = 20480;

    private readonly long[] stride, padding;
    private readonly Parameter weight;
    private readonly Parameter? bias;

    public ConvolutionLayer((long Input, long Output) channels, long kernel, (long Stride, long Padding) window, bool bias)
        : base(nameof(ConvolutionLayer))
    {
        if (channels.Input < 1 || channels.Output < 1)
            throw new ArgumentException(
                $"A convolution from {channels.Input} to {channels.Output} channels is empty: both must be at least 1.");
        (stride, padding) = ([window.Stride, window.Stride], [window.Padding, window.Padding]);
        var bound = Layers.DefaultBound(channels.Input * kernel * kernel);
        weight = WeightInit.Uniform(bound, channels.Output, channels.Input, kernel, kernel);
        if (bias) this.bias = WeightInit.Uniform(bound, channels.Output);
        RegisterComponents();
    }

    /// <summary>The kernels, [output, input, kernel, kernel].</summary>
    public Parameter Weight => weight;

    /// <summary>The bias, [output], or null.</summary>
    public Parameter? Bias => bias;

    /// <param name="input">[batch, input, h, w]</param>
    /// <returns>[batch, output, h', w']</returns>
    public override Tensor forward(Tensor input)
    {
        var (kernels, shift) = (weight.As(input), bias?.As(input));
        if (input.dtype == ScalarType.Float64) return Unfold(input, kernels, shift);
        var (outputs, inputs) = (Missing(weight.shape[0]), Missing(weight.shape[1]));
        if (outputs == 0 && inputs == 0) return Convolve(input, kernels, shift);

        // If channels do not fill blocks, oneDNN reads uninitialised memory in their place: results and gradients are wrong, or NaN,
        // depending on its content (libtorch 2.10 on AVX-512, float32 and bfloat16, against an exact reference). Zero channels are exact.
        using var scope = NewDisposeScope();
        kernels = nn.functional.pad(kernels, [0, 0, 0, 0, 0, inputs, 0, outputs]);
        if (shift is not null) shift = nn.functional.pad(shift, [0, outputs]);
        var padded = inputs == 0 ? input : nn.functional.pad(input, [0, 0, 0, 0, 0, inputs]);
        var output = Convolve(padded, kernels, shift);
        return (outputs == 0 ? output : output.narrow(1, 0, weight.shape[0]).contiguous()).MoveToOuterDisposeScope();

        static long Missing(long channels) => (Block - (channels % Block)) % Block;
    }

    /// <summary>
    /// Convolution as a matrix product with unfolded windows: oneDNN has no float64, for which libtorch falls back from NNPACK to this.
    /// </summary>
    private Tensor Unfold(Tensor input, Tensor kernels, Tensor? shift)
    {
        using var scope = NewDisposeScope();
        var kernel = kernels.shape[2];
        // [batch, input * kernel², windows]
        var windows = nn.functional.unfold(input, (kernel, kernel), (1, 1), (padding[0], padding[1]), (stride[0], stride[1]));
        // [batch, output, windows]
        var output = Shapes.MatMul(kernels.flatten(1), windows);
        if (shift is not null) output = output + shift.unsqueeze(1);
        var (h, w) = (Size(2), Size(3));
        return output.reshape(input.shape[0], kernels.shape[0], h, w).MoveToOuterDisposeScope();

        long Size(int axis) => (input.shape[axis] + (2 * padding[0]) - kernel) / stride[0] + 1;
    }

    /// <summary>
    /// libtorch leaves convolutions of one small sample, and those of one thread with 1×1 kernels, to NNPACK (ConvParams::use_mkldnn in
    /// aten/src/ATen/native/Convolution.cpp), which logs a warning for every call on processors that it does not support. An additional
    /// sample of zeros, and a dilation, which has no effect on 1×1 kernels, do not change the result and select oneDNN, forwards and
    /// backwards.
    /// </summary>
    private Tensor Convolve(Tensor input, Tensor kernels, Tensor? shift)
    {
        long[] dilation = kernels.shape[2] == 1 ? [2, 2] : [1, 1];
        if (input.shape[0] > 1 || kernels.shape[2] > 3 || input.numel() > SmallInput || input.dtype != ScalarType.Float32)
            return nn.functional.conv2d(input, kernels, shift, strides: stride, padding: padding, dilation: dilation);
        using var two = nn.functional.pad(input, [0, 0, 0, 0, 0, 0, 0, 1]);
        using var output = nn.functional.conv2d(two, kernels, shift, strides: stride, padding: padding, dilation: dilation);
        return output.narrow(0, 0, 1);
    }
}

/// <summary>Normalisation over groups of channels, made by <see cref="Layers.GroupNorm"/>.</summary>
internal sealed class GroupNormLayer : nn.Module<Tensor, Tensor>
{
    private readonly long groups;
    private readonly double eps;
    private readonly Parameter weight, bias;

    public GroupNormLayer(long groups, long channels, double eps) : base(nameof(GroupNormLayer))
    {
        if (groups < 1 || channels % groups != 0)
            throw new ArgumentException(
                $"{channels} channels cannot be normalised in {groups} groups: the number of groups must divide the channels.");
        (this.groups, this.eps) = (groups, eps);
        weight = WeightInit.Constant(1, channels);
        bias = WeightInit.Constant(0, channels);
        RegisterComponents();
    }

    /// <param name="input">[batch, channels, ...]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.group_norm(input, groups, weight.As(input), bias.As(input), eps);
}

/// <summary>Normalisation over the last axis, made by <see cref="Layers.LayerNorm"/>.</summary>
internal sealed class LayerNormLayer : nn.Module<Tensor, Tensor>
{
    private readonly double eps;
    private readonly long[] shape;
    private readonly Parameter weight;
    private readonly Parameter? bias;

    public LayerNormLayer(long width, double eps, bool bias) : base(nameof(LayerNormLayer))
    {
        (shape, this.eps) = ([width], eps);
        weight = WeightInit.Constant(1, width);
        if (bias) this.bias = WeightInit.Constant(0, width);
        RegisterComponents();
    }

    /// <summary>The scale, [width].</summary>
    public Parameter Weight => weight;

    /// <summary>The bias, [width].</summary>
    /// <exception cref="InvalidOperationException">The norm has none.</exception>
    public Parameter Bias => bias ?? throw new InvalidOperationException("This norm has no bias.");

    /// <summary>Epsilon of the variance.</summary>
    public double Eps => eps;

    /// <param name="input">[..., width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.layer_norm(input, shape, weight.As(input), bias?.As(input), eps);
}

/// <summary>Lookup table, made by <see cref="Layers.Embedding"/>.</summary>
internal sealed class EmbeddingLayer : nn.Module<Tensor, Tensor>
{
    private Parameter weight;
    private PackedLinear? projection;

    public EmbeddingLayer(long count, long width) : base(nameof(EmbeddingLayer))
    {
        weight = WeightInit.Normal(1, count, width);
        RegisterComponents();
    }

    /// <summary>The rows, [count, width].</summary>
    public Parameter Weight => weight;

    /// <summary>Adds rows at the end of the table.</summary>
    /// <param name="rows">[more, width]</param>
    public void Extend(Tensor rows)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var all = cat([weight.detach(), rows.to(weight.dtype).to(weight.device)]);
        var larger = new Parameter(all, weight.requires_grad);
        weight.Dispose();
        weight = larger;
        weight.DetachFromDisposeScope();
        ConditionallyRegisterParameter(nameof(weight), weight);
    }

    /// <summary>
    /// Packs the table a second time for <see cref="Project"/>, where this processor has products of packed matrices, for inference.
    /// </summary>
    public void Pack()
    {
        if (projection is null && OneDnn.Packs(weight.dtype)) projection = new PackedLinear(weight, null, weight.dtype);
    }

    /// <summary>x · tableᵀ: the scores of all rows where the table is the output layer too.</summary>
    /// <param name="x">[..., width]</param>
    /// <returns>[..., count]</returns>
    public Tensor Project(Tensor x)
    {
        if (projection is null) return nn.functional.linear(x, weight.As(x));
        using var scope = NewDisposeScope();
        return projection.Call(x).to(x.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) projection?.Dispose();
        base.Dispose(disposing);
    }

    /// <param name="ids">[...] int64 in [0, count)</param>
    /// <returns>[..., width] in the type of the table.</returns>
    public override Tensor forward(Tensor ids) =>
        weight.index_select(0, ids.reshape(-1)).reshape([.. ids.shape, weight.shape[1]]);
}

/// <summary>
/// Batch normalisation by the training's statistics (torch.nn.BatchNorm2d in evaluation), made by <see cref="Layers.BatchNorm"/>.
/// </summary>
internal sealed class BatchNormLayer : nn.Module<Tensor, Tensor>
{
    private const double Eps = 1e-5;
    private readonly Parameter weight, bias;
    private readonly Tensor running_mean, running_var, num_batches_tracked;

    public BatchNormLayer(long channels) : base(nameof(BatchNormLayer))
    {
        (weight, bias) = (WeightInit.Constant(1, channels), WeightInit.Constant(0, channels));
        (running_mean, running_var) = (WeightInit.Buffer(0, ScalarType.Float32, channels),
            WeightInit.Buffer(1, ScalarType.Float32, channels));
        num_batches_tracked = WeightInit.Buffer(0, ScalarType.Int64);
        register_parameter(nameof(weight), weight);
        register_parameter(nameof(bias), bias);
        register_buffer(nameof(running_mean), running_mean);
        register_buffer(nameof(running_var), running_var);
        register_buffer(nameof(num_batches_tracked), num_batches_tracked);
    }

    /// <param name="input">[batch, channels, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var scale = weight / (running_var + Eps).sqrt();                                     // [channels]
        var shift = bias - (running_mean * scale);
        return addcmul(shift.reshape(1, -1, 1, 1).to(input.dtype), input, scale.reshape(1, -1, 1, 1).to(input.dtype), 1)
            .MoveToOuterDisposeScope();
    }
}
