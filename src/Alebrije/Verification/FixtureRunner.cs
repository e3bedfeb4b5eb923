using Alebrije.Verification.Runners;
using static TorchSharp.torch;

namespace Alebrije.Verification;

/// <summary>Runs one case and returns its outputs by the reference's names.</summary>
internal delegate IReadOnlyDictionary<string, Tensor> FixtureRunner(FixtureCase fixtureCase);

/// <summary>Runners by library, reference class and call.</summary>
internal static class FixtureRunners
{
    private const string ImageProcessors = "openai: clip.load()[1]; transformers: CLIPImageProcessor; open_clip: image_transform_v2";

    private static readonly Dictionary<(string Library, string Class, string Call), FixtureRunner> Table = new()
    {
        [("transformers", "CLIPModel", "forward")] = ClipRunners.Model,
        [("transformers", "CLIPTextModel", "forward")] = ClipRunners.TextModel,
        [("transformers", "CLIPTextModelWithProjection", "forward")] = ClipRunners.TextModel,
        [("transformers", "CLIPVisionModelWithProjection", "forward")] = ClipRunners.VisionModel,
        [("transformers", "CLIPModel(return_loss=True) + torch.optim.AdamW", "train")] = ClipRunners.Train,
        [("transformers", "CLIPModel + relevance rule of Chefer et al. 2021", "relevance")] = ClipRunners.Relevance,
        [("transformers", "CLIPTokenizer", "__call__")] = TokenizerRunners.Padded,
        [("clip", "SimpleTokenizer + tokenize(truncate=True)", "tokenize")] = TokenizerRunners.Rows,
        [("open_clip", "SimpleTokenizer", "__call__")] = TokenizerRunners.Rows,
        [("clip", "CLIP", "encode_image")] = OpenClipRunners.Image,
        [("clip", "CLIP", "encode_text")] = OpenClipRunners.Text,
        [("clip", "CLIP", "forward")] = OpenClipRunners.Logits,
        [("open_clip", "CLIP", "encode_image")] = OpenClipRunners.Image,
        [("open_clip", "CLIP", "encode_text")] = OpenClipRunners.Text,
        [("open_clip", "CLIP", "get_logits")] = OpenClipRunners.Logits,
        [("open_clip", "CustomTextCLIP", "encode_image")] = OpenClipRunners.Image,
        [("open_clip", "CustomTextCLIP", "encode_text")] = OpenClipRunners.Text,
        [("open_clip", "CustomTextCLIP", "get_logits")] = OpenClipRunners.Logits,
        [("diffusers", "PriorTransformer", "forward")] = PriorRunners.Forward,
        [("diffusers", "PriorTransformer", "post_process_latents")] = PriorRunners.PostProcess,
        [("diffusers", "PriorTransformer without time token (eclipse-inference)", "forward")] = PriorRunners.Forward,
        [("diffusers", "PriorTransformer without time token (eclipse-inference)", "post_process_latents")] = PriorRunners.PostProcess,
        [("diffusers", "StableUnCLIPImageNormalizer", "scale")] = PriorRunners.Scale,
        [("diffusers", "StableUnCLIPImageNormalizer", "unscale")] = PriorRunners.Unscale,
        [("diffusers", "AutoencoderKL", "encode")] = AutoencoderRunners.Encode,
        [("diffusers", "AutoencoderKL", "decode")] = AutoencoderRunners.Decode,
        [("diffusers", "VQModel", "encode")] = MoVqRunners.Encode,
        [("diffusers", "VQModel", "decode")] = MoVqRunners.Decode,
        [("diffusers", "VQModel", "quantize")] = MoVqRunners.Quantize,
        [("diffusers", "UNet2DConditionModel", "forward")] = UNetRunners.Forward,
        [("diffusers", "UnCLIPTextProjModel", "forward")] = UNetRunners.TextProjection,
        [("diffusers", "UnCLIPPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "UnCLIPImageVariationPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyPriorPipeline", "__call__")] = PipelineRunner.Prior,
        [("diffusers", "KandinskyPriorPipeline", "interpolate")] = PipelineRunner.Mix,
        [("diffusers", "KandinskyV22PriorPipeline", "__call__")] = PipelineRunner.Prior,
        [("diffusers", "KandinskyV22PriorPipeline", "interpolate")] = PipelineRunner.Mix,
        [("diffusers", "KandinskyV22PriorEmb2EmbPipeline", "__call__")] = PipelineRunner.Prior,
        [("diffusers", "KandinskyPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyImg2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyInpaintPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyV22Pipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyV22Img2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyV22InpaintPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "KandinskyV22ControlnetPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "UNet2DModel", "forward")] = UNetRunners.Upsample,
        [("diffusers", "StableUnCLIPPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableUnCLIPImg2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionImg2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionInpaintPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionUpscalePipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionXLPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "StableDiffusionXLImg2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "IFPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "IFImg2ImgPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "IFSuperResolutionPipeline", "__call__")] = PipelineRunner.Draw,
        [("diffusers", "MultilingualCLIP", "forward")] = LanguageRunners.MultilingualClip,
        [("transformers", "T5EncoderModel", "forward")] = LanguageRunners.T5,
        [("open_flamingo", "Flamingo", "forward")] = FlamingoRunners.Forward,
        [("open_flamingo", "Flamingo", "generate")] = FlamingoRunners.Generate,
        [("PIL", "Image.resize", "resize")] = PixelRunners.Resize,
        [("PIL", ImageProcessors, "convert(\"RGB\")")] = PixelRunners.ToRgb,
        [("PIL", ImageProcessors, "openai")] = PixelRunners.Prepare,
        [("PIL", ImageProcessors, "transformers")] = PixelRunners.Prepare,
        [("PIL", ImageProcessors, "open_clip")] = PixelRunners.Prepare,
        [("PIL", ImageProcessors, "open_clip-squash")] = PixelRunners.Prepare,
        [("PIL", ImageProcessors, "open_clip-longest")] = PixelRunners.Prepare,
    };

    /// <summary>The runner of a case, or null if there is none.</summary>
    public static FixtureRunner? Find(FixtureCase c)
    {
        var name = c.Pipeline ?? c.Fixture.ReferenceClass;
        if (Table.TryGetValue((c.Fixture.Library, name, c.Call), out var runner)) return runner;
        return c.Fixture.Library == "diffusers" && c.Call == "sample" && SchedulerRunners.Knows(name) ? SchedulerRunners.Sample : null;
    }
}
