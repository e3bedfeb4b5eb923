using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Guesses;

/// <summary>Errors of a first guess.</summary>
/// <param name="Latents">Mean squared error of the latents.</param>
/// <param name="Objects">Error of the predicted objects and places.</param>
/// <param name="Named">Share of the objects whose concept is right, 0 to 1.</param>
internal sealed record GuessErrors(Tensor Latents, Tensor Objects, Tensor Named)
{
    /// <summary>The sum of the errors.</summary>
    public Tensor Total => Latents + Objects;
}

/// <summary>
/// First guess by objects: which object each slot holds and where it is are read from the conditions first, and drawn then. A transformer
/// over embedding, text and slots reads the objects in the order in which the caption names them: which they are, whether there is one,
/// how near it is, and several layouts (centre and side of all slots), of which the most probable is drawn. A slot's canvas is rendered
/// from the learnt code of its object alone, so an object is learnt once, with any neighbours. Canvases are scaled and moved to
/// their places as in DRAW (Gregor et al., 2015, section 3.2), with hat functions in place of Gaussians; a softmax of masks mixes them
/// with the background (Locatello et al., 2020, section 3.2); residual blocks conditioned on embedding and text finish the latents.
/// Training draws the true objects at their true places.
/// </summary>
internal sealed class FirstGuessModel : nn.Module<Tensor, Tensor, Tensor>
{
    /// <summary>
    /// Numbers of an object: centre from the left and from the top, both in [-1, 1], side in units of the image, 1 if it is present, number
    /// of its concept.
    /// </summary>
    public const int ObjectNumbers = 5;

    private const double Eps = 1e-5;

    /// <summary>Logit of a mask outside of its canvas; the background's is 0.</summary>
    private const double Outside = -6;

    /// <summary>Logit of a slot without an object.</summary>
    private const double Absent = -30;

    /// <summary>Smallest side that an object may have, in units of the image.</summary>
    private const double SmallestSide = 0.1;

    /// <summary>Cost of an object in a slot past the last object.</summary>
    private const double Forbidden = 1e4;

    /// <summary>Weight of cross entropies relative to the errors of latents and places.</summary>
    private const double EntropyWeight = 0.1;

    /// <summary>Weight of all layouts relative to the nearest, so that none is left out (Rupprecht et al., 2017).</summary>
    private const double OtherLayouts = 0.05;

    private readonly LayerNormLayer embedding_norm, norm_out, norm_read;
    private readonly LinearLayer context_proj, class_out, place_in, place_out, layout_out;
    private readonly LinearLayer proj_out, linear_1, linear_2, background;
    private readonly Parameter slot_embedding, code_embedding;
    private readonly ModuleList<TransformerBlock> reader;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly GroupNormLayer conv_norm_out;

    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    public FirstGuessModel(FirstGuessConfig config) : base(nameof(FirstGuessModel))
    {
        config.Check();
        Config = config;
        embedding_norm = Layers.LayerNorm(config.ConditionDim / 2);
        context_proj = Layers.Linear(config.ConditionDim, config.CrossAttentionDim);
        var (width, text, pooled) = (config.SlotWidth, config.CrossAttentionDim, config.ConditionDim + config.CrossAttentionDim);
        slot_embedding = WeightInit.Normal(1, 1, config.Slots, text);
        var block = new TransformerBlockForm(AttentionSizes.Split(text, text / config.AttentionHeadDim), null);
        reader = new([.. Enumerable.Range(0, config.ReaderLayers).Select(_ => new TransformerBlock(text, block))]);
        norm_read = Layers.LayerNorm(text);
        class_out = Layers.Linear(text, config.SlotConcepts);
        code_embedding = WeightInit.Normal(1, config.SlotConcepts, width);
        norm_out = Layers.LayerNorm(width);
        proj_out = Layers.Linear(width, config.SlotSide * config.SlotSide * (config.SlotChannels + 1));
        place_in = Layers.Linear(text, text);
        place_out = Layers.Linear(text, 2 + (3 * config.SlotLayouts));
        layout_out = Layers.Linear(text, config.SlotLayouts);
        linear_1 = Layers.Linear(pooled, config.EmbeddingDim);
        linear_2 = Layers.Linear(config.EmbeddingDim, config.EmbeddingDim);
        background = Layers.Linear(config.EmbeddingDim, config.SlotChannels);
        var channels = config.FinishChannels;
        var form = new ResnetForm(config.NormNumGroups, Eps) { TimeWidth = config.EmbeddingDim, TimeScales = true };
        conv_in = Layers.Conv2d(config.SlotChannels, channels, 3, padding: 1);
        resnets = new([.. Enumerable.Range(0, config.LayersPerBlock).Select(_ => new ResnetBlock(channels, channels, form))]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, channels, Eps);
        conv_out = Layers.Conv2d(channels, config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public FirstGuessConfig Config { get; }

    /// <param name="condition">[batch, condition width]: image embedding on CLIP's scale and noise level code; zeros if omitted.</param>
    /// <param name="text">[batch, tokens, context width] text encodings.</param>
    /// <returns>[batch, out channels, side, side] scaled latents.</returns>
    public override Tensor forward(Tensor condition, Tensor text)
    {
        if (condition.dim() != 2 || condition.shape[1] != Config.ConditionDim)
            throw new ArgumentException(
                $"The condition is [{string.Join(", ", condition.shape)}], but the first guess takes [batch, {Config.ConditionDim}].");
        using var scope = NewDisposeScope();
        var (pooled, context) = Join(condition, text);
        var read = Read(context);
        var chosen = read.Layouts.gather(2, read.Choice.argmax(1).reshape(-1, 1, 1, 1).expand(-1, Config.Slots, 1, 3)).squeeze(2);
        var objects = new Objects(read.Concepts.argmax(2), chosen, read.Presence.gt(0).to(ScalarType.Float32));
        return Draw(pooled, objects, read.Nearness).MoveToOuterDisposeScope();
    }

    /// <summary>Errors that training reduces, means over the batch.</summary>
    /// <param name="given">Condition and text as in <see cref="forward"/>.</param>
    /// <param name="latents">[batch, out channels, side, side] float32: the scenes' latents.</param>
    /// <param name="objects">[batch, objects, 5] float32: see <see cref="ObjectNumbers"/>.</param>
    /// <param name="ordered">[batch] bool: false where the text does not determine the order of the objects.</param>
    public GuessErrors Errors((Tensor Condition, Tensor Text) given, Tensor latents, Tensor objects, Tensor ordered)
    {
        var (pooled, context) = Join(given.Condition, given.Text);
        var read = Read(context);
        var truth = Match(read, Truth(objects), ordered);
        var drawn = Draw(pooled, truth, read.Nearness).to(ScalarType.Float32);
        var right = read.Concepts.argmax(2).eq(truth.Concepts).to(ScalarType.Float32) * truth.Present.squeeze(2);
        return new GuessErrors((drawn - latents).square().mean(), Error(read, truth), right.sum() / truth.Present.sum().clamp_min(1));
    }

    /// <summary>Error of objects and places as read from texts without an image embedding.</summary>
    /// <param name="text">As in <see cref="forward"/>.</param>
    /// <param name="objects">[batch, objects, 5] float32: see <see cref="ObjectNumbers"/>.</param>
    public Tensor ReadingError(Tensor text, Tensor objects)
    {
        var (_, context) = Join(zeros(text.shape[0], Config.ConditionDim, text.dtype, text.device), text);
        var read = Read(context);
        return Error(read, Truth(objects));
    }

    /// <summary>
    /// Objects in the order in which the slots have to read them: that of the text, and without a text that of the least error, as sets
    /// are matched in DETR (Carion et al., 2020, section 3.1).
    /// </summary>
    private Objects Match(Reading read, Objects truth, Tensor ordered)
    {
        using var guard = no_grad();
        var slots = Config.Slots;
        var orders = Permutations([.. Enumerable.Range(0, slots)]).ToArray();
        var flat = tensor(orders.SelectMany(order => order.Select(i => (long)i)).ToArray(), [orders.Length, slots],
            device: truth.Concepts.device);

        // [batch, slots, objects]: cross entropy of the concept, distance to the nearest layout, and a slot past the last object.
        var others = truth.Concepts.unsqueeze(1).expand(-1, slots, -1);
        var named = -read.Concepts.log_softmax(2).gather(2, others);
        var away = (read.Layouts.unsqueeze(2) - truth.Places.unsqueeze(1).unsqueeze(3)).abs().sum(4).min(3).values;
        var present = truth.Present.squeeze(2);
        var misplaced = present.unsqueeze(1).ne(present.unsqueeze(2)).to(ScalarType.Float32) * Forbidden;
        var costs = ((named * EntropyWeight) + away) * present.unsqueeze(1) + misplaced;

        // [batch, orders]: slot k gets object order[k].
        var sums = zeros(costs.shape[0], orders.Length, device: costs.device);
        for (var slot = 0; slot < slots; slot++) sums = sums + costs.select(1, slot).index_select(1, flat.select(1, slot));
        var given = arange(slots, device: costs.device).unsqueeze(0);
        var order = where(ordered.unsqueeze(1), given, flat.index_select(0, sums.argmin(1)));             // [batch, slots]
        return new Objects(truth.Concepts.gather(1, order), truth.Places.gather(1, order.unsqueeze(2).expand(-1, -1, 3)),
            truth.Present.gather(1, order.unsqueeze(2)));
    }

    private static IEnumerable<int[]> Permutations(int[] of) => of.Length < 2 ? [of]
        : of.SelectMany(first => Permutations([.. of.Where(i => i != first)]).Select(rest => (int[])[first, .. rest]));

    /// <summary>Absolute error of the nearest layout; cross entropies of concepts, presence, and of the choice of that layout.</summary>
    private static Tensor Error(Reading read, Objects truth)
    {
        var (concepts, places, present) = truth;
        var count = present.sum().clamp_min(1);
        var distances = ((read.Layouts - places.unsqueeze(2)).abs().sum(3) * present).sum(1);          // [batch, layouts]
        var nearest = distances.argmin(1);
        var moved = (distances.gather(1, nearest.unsqueeze(1)).sum() + (distances.sum() * OtherLayouts)) / count;
        var named = nn.functional.cross_entropy(read.Concepts.flatten(0, 1), concepts.flatten(), reduction: nn.Reduction.None);
        var entropies = nn.functional.binary_cross_entropy_with_logits(read.Presence, present)
            + nn.functional.cross_entropy(read.Choice, nearest) + ((named * present.flatten()).sum() / count);
        return moved + (entropies * EntropyWeight);
    }

    private Objects Truth(Tensor objects)
    {
        objects = objects.narrow(1, 0, Config.Slots);
        return new Objects(objects.select(2, 4).to(ScalarType.Int64), objects.narrow(2, 0, 3), objects.narrow(2, 3, 1));
    }

    private (Tensor Pooled, Tensor Context) Join(Tensor condition, Tensor text)
    {
        var halves = condition.chunk(2, dim: 1);
        var normed = cat([embedding_norm.call(halves[0]), halves[1]], dim: 1);
        return (cat([normed, text.mean([1])], dim: 1), cat([context_proj.call(normed).unsqueeze(1), text], dim: 1));
    }

    private Reading Read(Tensor context)
    {
        var slots = Config.Slots;
        var x = cat([context, slot_embedding.As(context).expand(context.shape[0], -1, -1)], 1);
        foreach (var block in reader) x = block.call(x, null, null);
        x = norm_read.call(x.narrow(1, context.shape[1], slots));                             // [batch, slots, context width]
        var where = nn.functional.silu(place_in.call(x));
        var places = place_out.call(where).to(ScalarType.Float32);
        var choice = layout_out.call(where.mean([1])).to(ScalarType.Float32);
        return new Reading(class_out.call(x).to(ScalarType.Float32), places.narrow(2, 0, 1), places.narrow(2, 1, 1),
            places.narrow(2, 2, 3 * Config.SlotLayouts).reshape(-1, slots, Config.SlotLayouts, 3), choice);
    }

    /// <summary>Given objects placed on the background, before the residual blocks.</summary>
    /// <param name="condition">As in <see cref="FirstGuessModel.forward"/>.</param>
    /// <param name="text">As in <see cref="FirstGuessModel.forward"/>.</param>
    /// <param name="objects">[batch, objects, 5] float32: see <see cref="ObjectNumbers"/>.</param>
    /// <returns>[batch, side², features] float32</returns>
    internal Tensor Compose(Tensor condition, Tensor text, Tensor objects)
    {
        var (pooled, context) = Join(condition, text);
        return Compose(Embed(pooled), Truth(objects), Read(context).Nearness);
    }

    private Tensor Draw(Tensor pooled, Objects objects, Tensor nearness)
    {
        var embedding = Embed(pooled);
        var (batch, channels, side) = (pooled.shape[0], (long)Config.SlotChannels, (long)Config.SampleSize);
        var mixed = Compose(embedding, objects, nearness).to(pooled.dtype);
        var x = conv_in.call(mixed.transpose(1, 2).contiguous().reshape(batch, channels, side, side));
        foreach (var resnet in resnets) x = resnet.call(x, embedding);
        return conv_out.call(nn.functional.silu(conv_norm_out.call(x)));
    }

    /// <returns>[batch, embedding width]</returns>
    private Tensor Embed(Tensor pooled) => linear_2.call(nn.functional.silu(linear_1.call(pooled)));

    private Tensor Compose(Tensor embedding, Objects objects, Tensor nearness)
    {
        var (batch, slots, channels, side) = (embedding.shape[0], (long)Config.Slots, (long)Config.SlotChannels, (long)Config.SampleSize);
        var placed = Place(Render(objects.Concepts.flatten(), embedding.dtype), objects.Places.flatten(0, 1))
            .reshape(batch, slots, side * side, channels + 1);
        var masks = placed.narrow(3, channels, 1) + (nearness + ((1 - objects.Present) * Absent)).unsqueeze(3) + Outside;
        masks = cat([masks, zeros_like(masks.narrow(1, 0, 1))], 1).softmax(1);                // [batch, slots + 1, side², 1]
        var behind = background.call(embedding).to(ScalarType.Float32).reshape(batch, 1, 1, channels).expand(-1, -1, side * side, -1);
        return (cat([placed.narrow(3, 0, channels), behind], 1) * masks).sum(1);              // [batch, side², channels]
    }

    /// <param name="concepts">[count] int64</param>
    /// <param name="type">Type of the products.</param>
    /// <returns>[count, canvas side, canvas side * (channels + 1)] float32: rows of features and of the logit of the mask.</returns>
    private Tensor Render(Tensor concepts, ScalarType type)
    {
        var x = norm_out.call(code_embedding.index_select(0, concepts).to(type));
        var drawn = proj_out.call(nn.functional.silu(x)).to(ScalarType.Float32)
            .reshape(-1, Config.SlotSide, Config.SlotSide, Config.SlotChannels + 1);
        // Zero once it is placed, so that a canvas without a logit of its own is as near as the background inside, and Outside beyond.
        var logit = nn.functional.pad(full([1], -Outside, dtype: ScalarType.Float32, device: drawn.device), [Config.SlotChannels, 0]);
        return (drawn + logit).flatten(2);
    }

    /// <summary>Scales and moves canvases: zero outside of them, the mean of the cells that a position covers inside.</summary>
    /// <param name="canvas">[count, canvas side, canvas side * numbers]</param>
    /// <param name="places">[count, 3]: centre and side.</param>
    /// <returns>[count, side * side, numbers]</returns>
    private Tensor Place(Tensor canvas, Tensor places)
    {
        var (count, side, inner) = (canvas.shape[0], (long)Config.SampleSize, (long)Config.SlotSide);
        var sizes = places.narrow(1, 2, 1).clamp_min(SmallestSide);                           // [count, 1]
        var rows = Weights(places.narrow(1, 1, 1), sizes).bmm(canvas);                        // [count, side, inner * numbers]
        var columns = rows.reshape(count, side, inner, -1).transpose(1, 2).reshape(count, inner, -1);
        var placed = Weights(places.narrow(1, 0, 1), sizes).bmm(columns);                     // [count, side (x), side (y) * numbers]
        return placed.reshape(count, side, side, -1).transpose(1, 2).reshape(count, side * side, -1);
    }

    /// <param name="centres">[count, 1] in [-1, 1]</param>
    /// <param name="sizes">[count, 1] in units of the image</param>
    /// <returns>[count, side, canvas side]: the share of each cell of the canvas in each position.</returns>
    private Tensor Weights(Tensor centres, Tensor sizes)
    {
        var (side, inner) = (Config.SampleSize, Config.SlotSide);
        var positions = (((arange(side, device: sizes.device) + 0.5) * 2 / side) - 1).unsqueeze(0);       // [1, side] in [-1, 1]
        var cells = (((positions - centres) / sizes) + 1) * inner / 2;                        // [count, side] in cells of the canvas
        var reach = ((double)inner / side / sizes).clamp_min(1).unsqueeze(2);                 // [count, 1, 1]: cells that a position covers
        var distance = (cells.unsqueeze(2) - (arange(inner, device: sizes.device) + 0.5)).abs();
        return (1 - (distance / reach)).clamp_min(0) / reach;
    }

    /// <summary>Predictions of the slots from the conditions, float32.</summary>
    /// <param name="Concepts">[batch, slots, concepts]: logits.</param>
    /// <param name="Presence">[batch, slots, 1]: logit.</param>
    /// <param name="Nearness">[batch, slots, 1]: added to the mask's logit.</param>
    /// <param name="Layouts">[batch, slots, layouts, 3]: centre and side.</param>
    /// <param name="Choice">[batch, layouts]: logits.</param>
    private sealed record Reading(Tensor Concepts, Tensor Presence, Tensor Nearness, Tensor Layouts, Tensor Choice);

    /// <summary>Objects to draw.</summary>
    /// <param name="Concepts">[batch, slots] int64</param>
    /// <param name="Places">[batch, slots, 3]: centre and side.</param>
    /// <param name="Present">[batch, slots, 1]: 1 or 0.</param>
    private sealed record Objects(Tensor Concepts, Tensor Places, Tensor Present);
}
