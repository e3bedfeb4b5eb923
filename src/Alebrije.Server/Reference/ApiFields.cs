namespace Alebrije.Server.Reference;

/// <summary>Descriptions of fields by name.</summary>
internal static class ApiFields
{
    /// <summary>Sentences by the name of a field.</summary>
    public static IReadOnlyDictionary<string, string> Text { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["prompt"] = "Text to draw.", ["negative_prompt"] = "Text that guides what the image should not contain.",
        ["n"] = "Number of images, 1 to 10; the seeds count up.", ["size"] = "auto, or WIDTHxHEIGHT, 16 to 2048 each, at most 4 to 1.",
        ["seed"] = "0 to 2^64 - 1; the same seed gives the same image. -1 or none: random.",
        ["num_inference_steps"] = "Steps of the decoder.", ["steps"] = "Steps of the decoder.",
        ["guidance_scale"] = "Guidance of the decoder, 0 to 100; 1 is none.", ["guidance"] = "Same as guidance_scale.",
        ["cfg_scale"] = "Guidance of the decoder, 0 to 100; 1 is none.", ["prior"] = "Kind of prior, such as diffusion or linear.",
        ["prior_steps"] = "Steps of the diffusion prior.", ["prior_guidance_scale"] = "Guidance of the prior.",
        ["scheduler"] = "Sampler of the decoder, such as euler-a.", ["eta"] = "DDIM's eta, 0 to 1.",
        ["quality"] = "hd, high, standard, medium, low or auto; low takes fewer steps.", ["response_format"] = "b64_json or url.",
        ["output_format"] = "png, jpeg or webp.", ["output_compression"] = "Quality of jpeg and webp, 0 to 100.",
        ["background"] = "opaque or auto.", ["stream"] = "True streams the response as events.",
        ["partial_images"] = "Predicted images of a stream, 0 to 3.", ["user"] = "Without effect.", ["style"] = "Without effect.",
        ["moderation"] = "Without effect.", ["input_fidelity"] = "Without effect.",
        ["model"] = "Name of a model on this disk; none: the service's own.",
        ["lead"] = "Text before a caption, which the model continues; without it Output:.",
        ["keep_alive"] = "Seconds that the model stays in memory afterwards; -1: no limit.",
        ["strict"] = "True rejects unknown fields; otherwise the header X-Ignored-Fields lists them.",
        ["image"] = "An image: a file in forms, base64 or a data URL in JSON.", ["mask"] = "Mask of the redrawn part.",
        ["input"] = "A text, a list of texts, token ids, or objects with text or image.",
        ["encoding_format"] = "float, or base64 of little-endian float32.", ["dimensions"] = "First numbers of each embedding.",
        ["messages"] = "Messages with role and content; images as image_url parts.",
        ["max_completion_tokens"] = "Maximum number of tokens of the answer, 1 to 4096.",
        ["max_tokens"] = "Same as max_completion_tokens.", ["temperature"] = "0 (the likeliest token) to 2.",
        ["top_p"] = "Probability mass of the tokens that are sampled from.",
        ["stream_options"] = "include_usage: true ends a stream with the counts of tokens.",
        ["previews"] = "Predicted images of a job, 0 to 16.", ["trace"] = "True keeps the trace of the one image for /api/v1/trace.",
        ["values"] = "True returns all numbers of the embeddings.", ["images"] = "Images: base64, or true for those of each step.",
        ["text"] = "A text.", ["texts"] = "Texts.", ["labels"] = "Names of the classes.",
        ["templates"] = "Sentences with {} in place of a label.", ["components"] = "Number of components, 1 to 16.",
        ["plus"] = "Further texts, or objects with text or image and weight.", ["minus"] = "The same, subtracted.",
        ["top"] = "Maximum number of results, 1 to 200.",
        ["false_alarm_rate"] = "Expected share of unrelated images among all; 1 disables the cut.",
        ["thumbnails"] = "True adds a small image to each result.", ["init_images"] = "One image in base64.",
        ["inpainting_mask_invert"] = "1 redraws the dark part of the mask.", ["width"] = "Width in pixels, 16 to 2048.",
        ["height"] = "Height in pixels, 16 to 2048.",
        ["batch_size"] = "Images of a batch.", ["n_iter"] = "Batches.", ["send_images"] = "False leaves the images out.",
        ["sampler_name"] = "Sampler, where the model can draw with it.", ["sampler_index"] = "Same as sampler_name.",
        ["override_settings"] = "sd_model_checkpoint names the model.", ["skip_current_image"] = "True leaves the preview out.",
    };
}
