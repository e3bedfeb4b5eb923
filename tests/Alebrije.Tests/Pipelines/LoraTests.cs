using Alebrije.Models.Clip;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>LoRA: exact weights from known factors, whatever the names; files that do not match are rejected as a whole.</summary>
public sealed class LoraTests : IDisposable
{
    private const string Block = "down_blocks.0.attentions.0.transformer_blocks.0.";

    private static readonly LoraModule[] Attention =
    [
        new("unet", Block + "attn1.to_q", Block + "attn1.processor.to_q", "input_blocks.1.1.transformer_blocks.0.attn1.to_q"),
        new("unet", Block + "attn2.to_k", Block + "attn2.processor.to_k", "input_blocks.1.1.transformer_blocks.0.attn2.to_k"),
        new("unet", Block + "attn2.to_out.0", Block + "attn2.processor.to_out", "input_blocks.1.1.transformer_blocks.0.attn2.to_out.0"),
        new("text_encoder", "text_model.encoder.layers.1.self_attn.q_proj", "text_model.encoder.layers.1.self_attn.to_q"),
        new("text_encoder", "text_model.encoder.layers.0.self_attn.out_proj", "text_model.encoder.layers.0.self_attn.to_out"),
    ];

    private static readonly LoraModule[] All =
    [
        .. Attention,
        new("unet", "down_blocks.0.attentions.0.proj_in", "", "input_blocks.1.1.proj_in"),
        new("unet", Block + "ff.net.0.proj", "", "input_blocks.1.1.transformer_blocks.0.ff.net.0.proj"),
        new("unet", "down_blocks.0.resnets.0.conv1", "", "input_blocks.1.0.in_layers.2"),
        new("unet", "down_blocks.0.downsamplers.0.conv", "", "input_blocks.2.0.op"),
        new("unet", "down_blocks.1.resnets.0.conv_shortcut", "", "input_blocks.3.0.skip_connection"),
        new("unet", "down_blocks.1.resnets.0.time_emb_proj", "", "input_blocks.3.0.emb_layers.1"),
        new("unet", "mid_block.attentions.0.proj_out", "", "middle_block.1.proj_out"),
        new("unet", "mid_block.resnets.1.conv2", "", "middle_block.2.out_layers.3"),
        new("unet", "up_blocks.0.upsamplers.0.conv", "", "output_blocks.1.1.conv"),
        new("unet", "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v", "", "output_blocks.3.1.transformer_blocks.0.attn2.to_v"),
        new("unet", "conv_in", "", "input_blocks.0.0"),
        new("unet", "time_embedding.linear_2", "", "time_embed.2"),
        new("text_encoder", "text_model.encoder.layers.0.mlp.fc1", ""),
    ];

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-lora-").FullName;

    private string Lora => At("lora.safetensors");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("kohya", 6.0)]
    [InlineData("ldm", null)]
    [InlineData("peft", null)]
    [InlineData("diffusers", 1.5)]
    [InlineData("old", null)]
    [InlineData("bare", null, "lora.bin")]
    public void EveryNaming_GivesTheExactWeights(string style, double? alpha, string file = "lora.safetensors")
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var modules = style switch { "old" => Attention, "bare" => [.. Attention.Where(module => module.Component == "unet")], _ => All };
        var factors = LoraMaker.Write(At(file), model, modules, style, alpha: alpha);
        var inputs = Inputs((At(file), 0.7));
        CheckWeights<UNet2DConditionModel>("unet", 0.7 * ((alpha ?? LoraMaker.Rank) / LoraMaker.Rank));
        CheckWeights<ClipTextModel>("text_encoder", 0.7 * ((alpha ?? LoraMaker.Rank) / LoraMaker.Rank));

        void CheckWeights<T>(string component, double factor) where T : nn.Module
        {
            var adapted = LoraMaker.Adapted<T>(model, component, inputs);
            foreach (var (name, (_, numbers)) in LoraMaker.Weights(model, component))
            {
                var expected = factors.TryGetValue((component, name), out var pair)
                    ? LoraMaker.Expected(numbers, (factor, pair.Up, pair.Down)) : numbers;
                Assert.True(expected.AsSpan().SequenceEqual(adapted[name]), $"{component} {name}");
            }
        }
    }

    [Theory]
    [InlineData("kohya")]
    [InlineData("ldm")]
    [InlineData("peft")]
    public void BothTextEncodersOfXl_AndItsBlocks(string style)
    {
        LoraModule[] modules =
        [
            new("text_encoder", "text_model.encoder.layers.0.self_attn.k_proj", ""),
            new("text_encoder_2", "text_model.encoder.layers.1.mlp.fc2", ""), new("text_encoder_2", "text_projection", ""),
            new("unet", "down_blocks.1.attentions.0.proj_in", "", "input_blocks.4.1.proj_in"),
            new(
                "unet", "down_blocks.1.attentions.1.transformer_blocks.1.attn2.to_k", "",
                "input_blocks.5.1.transformer_blocks.1.attn2.to_k"),
            new("unet", "up_blocks.0.upsamplers.0.conv", "", "output_blocks.2.2.conv"),
            new("unet", "up_blocks.1.resnets.2.conv1", "", "output_blocks.5.0.in_layers.2"),
            new("unet", "add_embedding.linear_1", "", "label_emb.0.0"),
        ];
        var model = RandomXl.Make(At("xl"));
        var factors = LoraMaker.Write(Lora, model, modules, style);
        foreach (var component in new[] { "text_encoder", "text_encoder_2", "unet" })
        {
            var adapted = component == "unet" ? LoraMaker.Adapted<UNet2DConditionModel>(model, component, Inputs((Lora, 1)))
                : LoraMaker.Adapted<ClipTextModel>(model, component, Inputs((Lora, 1)));
            var original = LoraMaker.Weights(model, component);
            foreach (var (key, pair) in factors.Where(factor => factor.Key.Component == component))
                Assert.Equal(LoraMaker.Expected(original[key.Weight].Numbers, (1, pair.Up, pair.Down)), adapted[key.Weight]);
        }
    }

    [Fact]
    public void TwoLoras_Add_AndScaleZero_ChangesNothing()
    {
        var (model, second) = (RandomPipelines.StableDiffusion(At("sd")), At("second.safetensors"));
        var one = LoraMaker.Write(Lora, model, All, "kohya", seed: 1, alpha: 2);
        var two = LoraMaker.Write(second, model, Attention, "peft", seed: 2);
        var (original, key) = (LoraMaker.Weights(model, "unet"), ("unet", Block + "attn1.to_q.weight"));
        var both = LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 0.5), (second, -2)));
        Assert.Equal(
            LoraMaker.Expected(
                original[key.Item2].Numbers, (0.5 * (2.0 / 3), one[key].Up, one[key].Down), (-2, two[key].Up, two[key].Down)),
            both[key.Item2]);
        var none = LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 0), (second, 0)));
        Assert.All(original, weight => Assert.Equal(weight.Value.Numbers, none[weight.Key]));
    }

    [Fact]
    public void HalfPrecision_IsOfTheSum()
    {
        var (model, name) = (RandomPipelines.StableDiffusion(At("sd")), Block + "attn1.to_q.weight");
        var pair = LoraMaker.Write(Lora, model, All, "kohya")[("unet", name)];
        var adapted = LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 0.3)), ScalarType.BFloat16);
        using var sum = tensor(LoraMaker.Expected(LoraMaker.Weights(model, "unet")[name].Numbers, (0.3, pair.Up, pair.Down)));
        using var rounded = sum.to(ScalarType.BFloat16);
        Assert.Equal(LoraMaker.Numbers(rounded), adapted[name]);
    }

    [Fact]
    public void KernelInThreeFactors_IsMultipliedOut()
    {
        var (model, module) = (RandomPipelines.StableDiffusion(At("sd")), "down_blocks.0.resnets.0.conv1");
        using var scope = NewDisposeScope();
        float[] ups = [.. Enumerable.Range(0, 16 * 2).Select(i => (float)((i % 5) - 2))];
        float[] downs = [.. Enumerable.Range(0, 2 * 16).Select(i => (float)((i % 7) - 3))];
        float[] middles = [.. Enumerable.Range(0, 2 * 2 * 9).Select(i => (float)((i % 3) - 1))];
        Save(($"lora_unet_{module.Replace('.', '_')}.lora_up.weight", tensor(ups).reshape(16, 2, 1, 1)),
            ($"lora_unet_{module.Replace('.', '_')}.lora_down.weight", tensor(downs).reshape(2, 16, 1, 1)),
            ($"lora_unet_{module.Replace('.', '_')}.lora_mid.weight", tensor(middles).reshape(2, 2, 3, 3)));
        var original = LoraMaker.Weights(model, "unet")[module + ".weight"].Numbers;
        var expected = original.Select((weight, i) =>
        {
            var (o, input, place, sum) = (i / (16 * 9), i / 9 % 16, i % 9, 0.0);
            for (var a = 0; a < 2; a++)
                for (var b = 0; b < 2; b++) sum += ups[(o * 2) + a] * middles[(((a * 2) + b) * 9) + place] * downs[(b * 16) + input];
            return (float)(weight + sum);
        });
        Assert.Equal(expected, LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 1)))[module + ".weight"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pipeline_DrawsAsAModelOfTheSumsDoes_AndGoesBack(bool keeps)
    {
        var (model, merged) = (RandomPipelines.StableDiffusion(At("sd")), RandomPipelines.StableDiffusion(At("merged")));
        var factors = LoraMaker.Write(Lora, model, All, "kohya", alpha: 3);
        foreach (var component in new[] { "unet", "text_encoder" })
        {
            var original = LoraMaker.Weights(model, component);
            LoraMaker.Replace(merged, component, factors.Where(factor => factor.Key.Component == component).ToDictionary(
                factor => factor.Key.Weight,
                factor => LoraMaker.Expected(original[factor.Key.Weight].Numbers, (0.2, factor.Value.Up, factor.Value.Down))));
        }

        var request = new GenerationRequest { Prompt = "a cat", Steps = 3, Seed = 4 };
        var adapted = request with { Loras = [new LoraInput(Lora, 0.2)] };
        using var reference = ImagePipeline.Load(merged);
        var expected = reference.Drawn(request).Image.Pixels;
        using var pipeline = ImagePipeline.Load(model, new ImagePipelineOptions { KeepLoaded = keeps });
        var plain = pipeline.Drawn(request).Image.Pixels;
        Assert.NotEqual(plain, expected);
        Assert.Equal(expected, pipeline.Drawn(adapted).Image.Pixels);
        Assert.Equal(expected, pipeline.Drawn(adapted).Image.Pixels);
        Assert.Equal(plain, pipeline.Drawn(request).Image.Pixels);
        var many = pipeline.DrawnMany([adapted, request, adapted]).Select(drawn => drawn.Image.Pixels);
        Assert.Equal([expected, plain, expected], many);
    }

    [Theory]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in.hada_w1_a", "is a LoHa")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in.lokr_w1", "is a LoKr")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in.dora_scale", "is a DoRA")]
    [InlineData("unet.down_blocks.0.attentions.0.proj_in.lora_magnitude_vector.weight", "is a DoRA")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in.diff", "is a set of whole differences")]
    [InlineData("something.else", "is not part of a LoRA")]
    [InlineData("lora_unet_down_blocks_7_attentions_0_proj_in.lora_up.weight", "is of a module that the model does not have")]
    [InlineData("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", "is of a module that the model does not have")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", "without its other half")]
    public void OtherKindsAndNames_AreRefused(string name, string part) => Refuses(part, (name, [16, 3]));

    [Theory]
    [InlineData(new long[] { 3, 32 }, new long[] { 24, 3 })]
    [InlineData(new long[] { 3, 16 }, new long[] { 16, 3 })]
    [InlineData(new long[] { 3, 32 }, new long[] { 16, 4 })]
    [InlineData(new long[] { 3, 32, 3, 3 }, new long[] { 16, 3 })]
    [InlineData(new long[] { 0, 32 }, new long[] { 16, 0 })]
    public void OtherShapes_AreRefused(long[] down, long[] up) => Refuses(
        "does not fit sd", ($"lora_unet_{Block.Replace('.', '_')}attn2_to_k.lora_down.weight", down),
        ($"lora_unet_{Block.Replace('.', '_')}attn2_to_k.lora_up.weight", up));

    [Fact]
    public void LoraOfAnotherModel_NamesItsKind()
    {
        var name = $"lora_unet_{Block.Replace('.', '_')}attn2_to_k";
        var refusal = Refuses(
            "(Stable Diffusion XL, by its width)", (name + ".lora_down.weight", [3, 2048]), (name + ".lora_up.weight", [16, 3]));
        Assert.StartsWith(
            $"{Lora} does not fit sd: '{name}.lora_down.weight' is [3, 2048] and '{name}.lora_up.weight' [16, 3] for a weight of [16, 32]",
            refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void AlphasOfPeft_StandBesideTheTensors()
    {
        var (model, name) = (RandomPipelines.StableDiffusion(At("sd")), Block + "attn1.to_q.weight");
        var pair = LoraMaker.Write(Lora, model, Attention, "peft")[("unet", name)];
        Rewrite("""{ "unet.lora_alpha": 6, "unet.r": 3, "unet.use_rslora": false, "unet.alpha_pattern": {} }""");
        var adapted = LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 1)));
        Assert.Equal(LoraMaker.Expected(LoraMaker.Weights(model, "unet")[name].Numbers, (2, pair.Up, pair.Down)), adapted[name]);
        Rewrite("""{ "unet.lora_alpha": 6, "unet.use_rslora": true }""");
        var refusal = Assert.Throws<WeightsException>(() => LoraMaker.Adapted<UNet2DConditionModel>(model, "unet", Inputs((Lora, 1))));
        Assert.Contains("use_rslora", refusal.Message, StringComparison.Ordinal);

        void Rewrite(string metadata)
        {
            using var scope = NewDisposeScope();
            Dictionary<string, Tensor> all;
            using (var source = new SafeTensorsFile(Lora)) all = source.Names.ToDictionary(tensor => tensor, source.Read);
            SafeTensorsWriter.Write(Lora, all, new Dictionary<string, string> { ["lora_adapter_metadata"] = metadata });
        }
    }

    private static AdapterInputs Inputs(params (string File, double Scale)[] loras) =>
        new([.. loras.Select(lora => new LoraInput(lora.File, lora.Scale))], []);

    private string Refuses(string part, params (string Name, long[] Shape)[] tensors)
    {
        using var scope = NewDisposeScope();
        var model = RandomPipelines.StableDiffusion(At("sd"));
        Save([.. tensors.Select(tensor => (tensor.Name, ones(tensor.Shape)))]);
        using var pipeline = ImagePipeline.Load(model);
        var request = new GenerationRequest { Prompt = "a cat", Steps = 1, Loras = [new LoraInput(Lora)] };
        var refusal = Assert.Throws<WeightsException>(() => pipeline.Drawn(request));
        Assert.Contains(part, refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("or leave the LoRA out (--lora).", refusal.Message, StringComparison.Ordinal);
        return refusal.Message;
    }

    private void Save(params (string Name, Tensor Value)[] tensors) =>
        SafeTensorsWriter.Write(Lora, tensors.ToDictionary(pair => pair.Name, pair => pair.Value));

    private string At(string name) => Path.Combine(folder, name);
}
