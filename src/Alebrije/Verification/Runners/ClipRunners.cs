using Alebrije.Models.Clip;
using Alebrije.Published;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>CLIP in transformers' layout: towers, projections, logits, and one step of training.</summary>
internal static class ClipRunners
{
    /// <summary>Largest scale of the logits (Radford et al., 2021, §2.5).</summary>
    private static readonly double LargestLogitScale = Math.Log(100);

    /// <summary>CLIPModel, whole or one of its towers.</summary>
    public static IReadOnlyDictionary<string, Tensor> Model(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("model", () => ComponentCatalog.Load<ClipNetwork>("CLIPModel", c.Fixture.Model()));
        if (c.Component == "text_model")
        {
            var text = network.Text.Encode(c.Input("input_ids"), c.OptionalInput("attention_mask"));
            return new Dictionary<string, Tensor>
            {
                ["last_hidden_state"] = text.LastHiddenState, ["penultimate"] = text.Penultimate, ["pooler_output"] = text.Pooled,
                ["text_features"] = network.Text.Project(text.Pooled),
            };
        }

        if (c.Component == "vision_model")
        {
            var image = network.Vision.Encode(c.Input("pixel_values"));
            return new Dictionary<string, Tensor>
            {
                ["last_hidden_state"] = image.LastHiddenState, ["penultimate"] = image.Penultimate, ["pooler_output"] = image.Pooled,
                ["image_features"] = network.Vision.Project(image.Pooled),
            };
        }

        var (texts, images) = (network.EmbedText(c.Input("input_ids")), network.EmbedImage(c.Input("pixel_values")));
        var logits = texts.mm(images.t()) * network.LogitScale.exp();                          // [texts, images]
        return new Dictionary<string, Tensor>
        {
            ["logits_per_text"] = logits, ["logits_per_image"] = logits.t(), ["text_embeds"] = texts, ["image_embeds"] = images,
        };
    }

    /// <summary>CLIPTextModel and CLIPTextModelWithProjection.</summary>
    public static IReadOnlyDictionary<string, Tensor> TextModel(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("model",
            () => ComponentCatalog.Load<ClipTextModel>(c.Fixture.ReferenceClass, c.Fixture.Model(c.Component)));
        var text = network.Encode(c.Input("input_ids"), c.OptionalInput("attention_mask"));
        var outputs = new Dictionary<string, Tensor>
        {
            ["last_hidden_state"] = text.LastHiddenState, ["penultimate"] = text.Penultimate,
            ["penultimate_normed"] = network.Norm(text.Penultimate), ["pooler_output"] = text.Pooled,
        };
        if (c.Wants("text_embeds")) outputs["text_embeds"] = network.Project(text.Pooled);
        return outputs;
    }

    /// <summary>CLIPVisionModelWithProjection.</summary>
    public static IReadOnlyDictionary<string, Tensor> VisionModel(FixtureCase c)
    {
        using var guard = no_grad();
        var network = c.Fixture.Part("model",
            () => ComponentCatalog.Load<ClipVisionModel>(c.Fixture.ReferenceClass, c.Fixture.Model(c.Component)));
        var image = network.Encode(c.Input("pixel_values"));
        return new Dictionary<string, Tensor>
        {
            ["last_hidden_state"] = image.LastHiddenState, ["penultimate"] = image.Penultimate, ["pooler_output"] = image.Pooled,
            ["image_embeds"] = network.Project(image.Pooled),
        };
    }

    /// <summary>Relevance of patches and words for each image with its own text.</summary>
    public static IReadOnlyDictionary<string, Tensor> Relevance(FixtureCase c)
    {
        var network = c.Fixture.Part("model", () => ComponentCatalog.Load<ClipNetwork>("CLIPModel", c.Fixture.Model()));
        var ids = c.Input("input_ids");
        var (images, texts, _) = ClipRelevance.Compute(
            () => network.Vision.Embed(c.Input("pixel_values")), () => network.Text.Embed(ids),
            network.LogitScale.exp().ToDouble(), c.Argument("layers")?.GetString() == "last");
        return new Dictionary<string, Tensor>
        {
            ["image_relevance"] = images.select(1, 0).narrow(1, 1, images.shape[2] - 1),
            ["text_relevance"] = texts.index(TensorIndex.Tensor(arange(ids.shape[0])), TensorIndex.Tensor(ids.argmax(-1))),
        };
    }

    /// <summary>Contrastive training, step by step (the case contains CLIP's constants).</summary>
    public static IReadOnlyDictionary<string, Tensor> Train(FixtureCase c)
    {
        var outputs = new Dictionary<string, Tensor>();
        using var network = ComponentCatalog.Load<ClipNetwork>("CLIPModel", c.Fixture.Model(c.Component));
        network.train();
        var (pixels, ids) = (c.Input("pixel_values"), c.Input("input_ids"));
        var betas = c.Argument("betas")!.Value;
        var options = new OptimizerConstants
        {
            Beta1 = betas[0].GetDouble(),
            Beta2 = betas[1].GetDouble(),
            Epsilon = c.Number("eps", 1e-6),
            WeightDecay = c.Number("weight_decay", 0),
            ClipNorm = c.Number("clip_norm", 1),
        };
        using var optimizer = new Optimizer(network.named_parameters(), options);
        for (var step = 0; step < c.Integer("steps"); step++)
        {
            using var scope = NewDisposeScope();
            var loss = ContrastiveLoss.Compute(network.EmbedText(ids), network.EmbedImage(pixels[step]), network.LogitScale);
            loss.backward();
            var gradients = step == 0 ? Gradients(network, c) : [];
            var norm = optimizer.Step(c.Number("learning_rate", 0));
            var scale = Math.Min(1, options.ClipNorm / (norm + 1e-6));
            foreach (var (name, gradient) in gradients) outputs[$"grad/{name}"] = (gradient * scale).MoveToOuterDisposeScope();
            using (no_grad()) network.LogitScale.clamp_(max: LargestLogitScale);
            outputs[$"loss_{step}"] = loss.detach().reshape(1).MoveToOuterDisposeScope();
            outputs[$"grad_norm_{step}"] = tensor([(float)norm]).MoveToOuterDisposeScope();
        }

        foreach (var (name, parameter) in network.named_parameters()) outputs[$"after/{name}"] = parameter.detach().clone();
        return outputs;
    }

    private static List<(string Name, Tensor Gradient)> Gradients(nn.Module network, FixtureCase c) =>
        [.. network.named_parameters().Where(p => c.Wants($"grad/{p.name}")).Select(p => (p.name, p.parameter.grad!.clone()))];
}
