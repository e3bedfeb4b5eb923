namespace Alebrije.Pipelines.Denoising;

/// <summary>A decoder, and the stages that enlarge its images one after the other (DeepFloyd IF: 64, 256 and 1024 pixels).</summary>
/// <param name="first">Draws from the request.</param>
/// <param name="later">Enlarge the image of the stage before, each by its <see cref="DrawingTraits.Enlargement"/>.</param>
internal sealed class DrawingStages(ImageDecoder first, IReadOnlyList<ImageDecoder> later) : IDisposable
{
    /// <summary>The stage that draws from the request.</summary>
    public ImageDecoder First => first;

    /// <summary>Sides in pixels of the images after each stage, where the first draws its own size.</summary>
    public IReadOnlyList<int> Sides { get; } = [.. Products(first.Traits.Size, later)];

    /// <summary>
    /// The stages that lead to a size, each with the size of its images. The shorter side decides: where it is none of <see cref="Sides"/>,
    /// the first stage draws alone.
    /// </summary>
    /// <param name="height">Rows of the final image.</param>
    /// <param name="width">Columns of the final image.</param>
    public IReadOnlyList<DrawingStage> For(int height, int width)
    {
        var count = 0;
        for (var i = 1; i < Sides.Count; i++)
            if (Sides[i] == Math.Min(height, width)) count = i;
        var factor = Sides[count] / Sides[0];
        if (height % factor != 0 || width % factor != 0) (count, factor) = (0, 1);
        var stages = new List<DrawingStage> { new("decoder", first, height / factor, width / factor) };
        foreach (var (stage, i) in later.Take(count).Select((stage, i) => (stage, i)))
            stages.Add(new DrawingStage($"stage {i + 2}", stage, stages[^1].Height * stage.Traits.Enlargement,
                stages[^1].Width * stage.Traits.Enlargement));
        return stages;
    }

    /// <summary>Default size for an initial image: that of the last stage.</summary>
    public (int Height, int Width) SizeOf(Preprocessing.Imaging.RgbImage initial)
    {
        var ((height, width), factor) = (first.SizeOf(initial), Sides[^1] / Sides[0]);
        return (factor * height, factor * width);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        first.Dispose();
        foreach (var stage in later) stage.Dispose();
    }

    private static IEnumerable<int> Products(int side, IReadOnlyList<ImageDecoder> later)
    {
        yield return side;
        foreach (var stage in later) yield return side *= stage.Traits.Enlargement;
    }
}

/// <summary>A stage of a run.</summary>
/// <param name="Name">Name in progress, traces and seconds: <c>decoder</c>, <c>stage 2</c>, <c>stage 3</c>.</param>
/// <param name="Decoder">The decoder.</param>
/// <param name="Height">Rows of its images.</param>
/// <param name="Width">Columns of its images.</param>
internal sealed record DrawingStage(string Name, ImageDecoder Decoder, int Height, int Width)
{
    /// <summary>The part of a complete request that concerns this stage: size, steps and guidance.</summary>
    public GenerationRequest Part(GenerationRequest request)
    {
        var own = Options(request);
        return request with { Size = null, Height = Height, Width = Width, Steps = own.Steps, Guidance = own.Guidance };
    }

    /// <summary>Sampling options of a complete request.</summary>
    /// <param name="request">Options of the first stage; a later one has its own values, and
    /// <see cref="GenerationRequest.UpsamplerSteps"/>.</param>
    public DrawOptions Options(GenerationRequest request) => Name == "decoder"
        ? new DrawOptions(request.Steps!.Value, request.Guidance!.Value)
        {
            Height = Height, Width = Width, Eta = request.Eta, UpsamplerSteps = request.UpsamplerSteps,
            OnlyGuess = request.OnlyGuess, Rescale = request.Rescale ?? 0,
            NoiseLevel = request.NoiseLevel, Strength = request.From is null ? 1 : request.Strength ?? 1, Sampler = request.Scheduler,
        }
        : new DrawOptions(request.UpsamplerSteps ?? Decoder.Traits.Defaults.Steps, Decoder.Traits.Defaults.Guidance)
        {
            Stage = Name, Height = Height, Width = Width, Strength = request.From is null ? 1 : Decoder.Traits.Defaults.Strength,
        };
}
