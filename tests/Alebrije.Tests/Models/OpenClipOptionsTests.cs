using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Alebrije.Tests.Models;

/// <summary>The options of open_clip's constructors, against their formulas written out (open_clip, model.py and transformer.py).</summary>
public sealed class OpenClipOptionsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-options-").FullName;

    public OpenClipOptionsTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("\"patch_dropout\": 0.5, \"output_tokens\": true, \"timm_drop_path\": null, \"timm_pool\": \"avg\", "
        + "\"attentional_pool\": false, \"block_type\": \"custom\", \"qk_norm\": false")]
    [InlineData("\"pos_embed_type\": \"sin_cos_2d\"")]
    [InlineData("\"ls_init_value\": 0.5, \"no_ln_pre\": true")]
    [InlineData("\"pool_type\": \"avg\", \"final_ln_after_pool\": true")]
    [InlineData("\"norm_kwargs\": {\"eps\": 0.01}, "
        + "\"act_kwargs\": {\"approximate\": \"tanh\"}")]
    [InlineData("\"attentional_pool\": true, \"attn_pooler_queries\": 3, \"attn_pooler_heads\": 2")]
    [InlineData("\"attentional_pool\": true, \"attn_pooler_queries\": 4, \"attn_pooler_heads\": 4, "
        + "\"pool_type\": \"avg\", \"final_ln_after_pool\": true, \"norm_kwargs\": {\"eps\": 0.01}")]
    [InlineData("\"attentional_pool\": true, \"attn_pooler_queries\": 1, \"attn_pooler_heads\": 2", 16)]
    public void ImageTower_IsWhatTheFormulaGives(string options, int features = 8)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        const string sizes = "\"image_size\": 16, \"patch_size\": 8, \"width\": 16, \"head_width\": 8, \"layers\": 1";
        var config = Read($"{{\"embed_dim\": {features}, \"vision_cfg\": {{{sizes}{Comma(options)}}}, \"text_cfg\": {{{Text}}}}}");
        var file = OpenClipFiles.Tensors(config);
        using var network = OpenClipFiles.Load(config, file);
        var tower = network.Vision;
        var (w, vision, pixels) = (OpenClipFiles.Visual(file), config.VisionCfg, randn(2, 3, 16, 16));
        var eps = vision.NormKwargs.GetValueOrDefault("eps", 1e-5);
        var x = conv2d(pixels, w["conv1.weight"], strides: [8L, 8]).flatten(2).transpose(1, 2);
        x = cat([w["class_embedding"].expand(2, 1, 16), x], 1) + w["positional_embedding"];
        if (!vision.NoLnPre) x = Norm(x, w, "ln_pre", eps);
        x = Block(x, w, "transformer.resblocks.0.", heads: 2, mask: null, eps, options.Contains("tanh", StringComparison.Ordinal));
        Tensor Pooled(Tensor t) => vision.PoolType == "tok" ? t.select(1, 0) : t.narrow(1, 1, t.shape[1] - 1).mean([1]);
        Tensor expected;
        if (vision.AttentionalPool)
        {
            var (q, k) = (Norm(w["attn_pool.query"], w, "attn_pool.ln_q", 1e-5).expand(2, -1, -1), Norm(x, w, "attn_pool.ln_k", 1e-5));
            Tensor[] weights = features == 16 ? w["attn_pool.attn.in_proj_weight"]
                .chunk(3) : [w["attn_pool.attn.q_proj_weight"], w["attn_pool.attn.k_proj_weight"], w["attn_pool.attn.v_proj_weight"]];
            var biases = w["attn_pool.attn.in_proj_bias"].chunk(3);
            var attended = Attend(linear(q, weights[0], biases[0]), linear(k, weights[1], biases[1]),
                linear(k, weights[2], biases[2]), vision.AttnPoolerHeads, mask: null);
            expected = Pooled(Norm(linear(attended, w["attn_pool.attn.out_proj.weight"], w["attn_pool.attn.out_proj.bias"]),
                w, "ln_post", eps));
        }
        else
        {
            expected = vision.FinalLnAfterPool ? Norm(Pooled(x), w, "ln_post", eps) : Pooled(Norm(x, w, "ln_post", eps));
        }

        Same(expected.mm(w["proj"]), tower.Embed(pixels));
        using var packed = tower.Pack(ScalarType.Float32)!;
        Same(expected.mm(w["proj"]), packed.Embed(pixels));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"output_tokens\": false, \"pad_id\": 1, \"embed_cls\": false, \"hf_model_name\": null, \"hf_proj_type\": \"mlp\", "
        + "\"final_ln_after_pool\": true, \"tokenizer_kwargs\": {}")]
    [InlineData("\"ls_init_value\": 0.5")]
    [InlineData("\"proj_type\": \"none\"")]
    [InlineData("\"proj_bias\": true")]
    [InlineData("\"pool_type\": \"eos\", \"eos_id\": 7")]
    [InlineData("\"pool_type\": \"last\", \"no_causal_mask\": true")]
    [InlineData("\"pool_type\": \"first\", \"no_causal_mask\": true, \"norm_kwargs\": {\"eps\": 0.01}, "
        + "\"act_kwargs\": {\"approximate\": \"tanh\"}")]
    public void TextTower_IsWhatTheFormulaGives(string options)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        const string sizes = "\"context_length\": 6, \"vocab_size\": 20, \"width\": 16, \"heads\": 2, \"layers\": 1";
        var config = Read($"{{\"embed_dim\": 16, \"vision_cfg\": {{{Vision}}}, \"text_cfg\": {{{sizes}{Comma(options)}}}}}");
        var w = OpenClipFiles.Tensors(config);
        using var network = OpenClipFiles.Load(config, w);
        var (tower, text) = (network.Text, config.TextCfg);
        var ids = tensor(new long[] { 3, 7, 19, 0, 0, 0, 5, 19, 7, 2, 4, 6 }, [2, 6]);
        var eps = text.NormKwargs.GetValueOrDefault("eps", 1e-5);
        var x = w["token_embedding.weight"][ids] + w["positional_embedding"];
        x = Block(x, w, "transformer.resblocks.0.", heads: 2, text.NoCausalMask ? null : full([6, 6], float.NegativeInfinity).triu(1),
            eps, options.Contains("tanh", StringComparison.Ordinal));
        x = Norm(x, w, "ln_final", eps);
        int[] places = text.PoolType switch { "eos" => [1, 2], "last" => [5, 5], "first" => [0, 0], _ => [2, 1] };
        var pooled = stack([x[0, places[0]], x[1, places[1]]]);
        var expected = text.ProjType == "none" ? pooled : text.ProjBias
            ? linear(pooled, w["text_projection.weight"], w["text_projection.bias"]) : pooled.mm(w["text_projection"]);
        var projects = network.state_dict().Keys.Any(name => name.StartsWith("text_projection", StringComparison.Ordinal));
        Assert.Equal(text.ProjType == "none", !projects);
        Same(expected, tower.Embed(ids));
        var embedded = zeros(2, 16);
        using var packed = tower.Pack(ScalarType.Float32);
        packed.Embed([[3, 7, 19, 0, 0, 0], [5, 19, 7, 2, 4, 6]], (rows, values) =>
        {
            for (var i = 0; i < rows.Length; i++) embedded[rows[i]].copy_(values[i]);
        });

        Same(expected, embedded);
    }

    /// <summary>A text tower in a module of its own, kept under the names of a CLIP without one, and a logit scale of shape [1].</summary>
    [Fact]
    public void CustomText_ReadsTheOlderNames_AndAScaleOfOneNumber()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        const string sizes = """
            "embed_dim": 16, "nonscalar_logit_scale": true, "init_logit_scale": 2, "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
            "text_cfg": {"context_length": 6, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
            """;
        using var plain = OpenClipFiles.Write(folder, $"{{{sizes}}}");
        Read($"{{{sizes}, \"custom_text\": true}}");
        using var loaded = OpenClipFolder.Load(folder);
        var ids = tensor(new long[] { 3, 7, 19, 0, 0, 0 }, [1, 6]);
        Same(plain.Text.Embed(ids), loaded.Text.Embed(ids));
        using var model = ClipModel.Load(folder);
        Assert.Equal(1 / 0.07, model.LogitScale, 1e-4);
    }

    [Theory]
    [InlineData("\"tokenizer_kwargs\": {\"reduction_mask\": \"syntax\"}", "reduction_mask")]
    [InlineData("\"tokenizer_mode\": \"clips\"", "tokenizer_mode")]
    public void Texts_PreparedByAnotherRule_AreRefusedByItsName(string options, string named)
    {
        using var network = OpenClipFiles.Write(folder, $$"""
            {"embed_dim": 16, "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
             "text_cfg": {"context_length": 6, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1, {{options}}} }
            """);
        using var model = ClipModel.Load(folder);
        Assert.Contains(named, Assert.Throws<InvalidOperationException>(() =>
            model.EmbedTexts(["a lion"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    /// <summary>LayerScale must be in the file if the config has one, and only then.</summary>
    [Theory]
    [InlineData("vision_cfg", "layer_scale1")]
    [InlineData("text_cfg", "layer_scale1")]
    public void LayerScale_IsLoadedStrictly(string tower, string named)
    {
        using var scope = NewDisposeScope();
        var plain = Read($"{{\"embed_dim\": 8, \"vision_cfg\": {{{Vision}}}, \"text_cfg\": {{{Text}}}}}");
        var scaled = tower == "text_cfg" ? plain with { TextCfg = plain.TextCfg with { LsInitValue = 1 } }
            : plain with { VisionCfg = plain.VisionCfg with { LsInitValue = 1 } };
        var error = Assert.Throws<WeightsException>(() => OpenClipFiles.Load(scaled, OpenClipFiles.Tensors(plain)));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        var message = Assert.Throws<WeightsException>(() => OpenClipFiles.Load(plain, OpenClipFiles.Tensors(scaled))).Message;
        Assert.Contains("unexpected", message, StringComparison.Ordinal);
        Assert.Contains(named, message, StringComparison.Ordinal);
        OpenClipFiles.Load(scaled, OpenClipFiles.Tensors(scaled)).Dispose();
    }

    private const string Vision = "\"image_size\": 16, \"patch_size\": 8, \"width\": 8, \"head_width\": 8, \"layers\": 1";
    private const string Text = "\"context_length\": 4, \"vocab_size\": 9, \"width\": 8, \"heads\": 2, \"layers\": 1";

    private static string Comma(string options) => options.Length == 0 ? "" : ", " + options;

    private OpenClipConfig Read(string config)
    {
        File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), config);
        return OpenClipConfig.Read(folder);
    }

    private static Tensor Norm(Tensor x, Dictionary<string, Tensor> w, string name, double eps) =>
        layer_norm(x, [x.shape[^1]], w[name + ".weight"], w[name + ".bias"], eps);

    private static Tensor Attend(Tensor q, Tensor k, Tensor v, int heads, Tensor? mask)
    {
        var width = q.shape[2] / heads;
        return cat([.. Enumerable.Range(0, heads).Select(h =>
        {
            Tensor Part(Tensor t) => t.narrow(2, h * width, width);
            var scores = Part(q).bmm(Part(k).transpose(1, 2)) / Math.Sqrt(width);
            return softmax(mask is null ? scores : scores + mask, -1).bmm(Part(v));
        })], 2);
    }

    private static Tensor Block(Tensor x, Dictionary<string, Tensor> w, string at, int heads, Tensor? mask, double eps, bool tanh)
    {
        var parts = linear(Norm(x, w, at + "ln_1", eps), w[at + "attn.in_proj_weight"], w[at + "attn.in_proj_bias"]).chunk(3, -1);
        var attended = linear(Attend(parts[0], parts[1], parts[2], heads, mask),
            w[at + "attn.out_proj.weight"], w[at + "attn.out_proj.bias"]);
        x = x + (w.TryGetValue(at + "ls_1.gamma", out var first) ? attended * first : attended);
        var inner = linear(Norm(x, w, at + "ln_2", eps), w[at + "mlp.c_fc.weight"], w[at + "mlp.c_fc.bias"]);
        inner = tanh ? inner * 0.5 * (1 + torch.tanh(Math.Sqrt(2 / Math.PI) * (inner + (0.044715 * inner.pow(3)))))
            : inner * 0.5 * (1 + erf(inner / Math.Sqrt(2)));
        var changed = linear(inner, w[at + "mlp.c_proj.weight"], w[at + "mlp.c_proj.bias"]);
        return x + (w.TryGetValue(at + "ls_2.gamma", out var second) ? changed * second : changed);
    }

    private static void Same(Tensor expected, Tensor actual) =>
        Assert.True(expected.allclose(actual, rtol: 1e-4, atol: 1e-4),
            $"off by {(expected - actual).abs().max().item<float>():g3} of {expected.abs().max().item<float>():g3}");
}
