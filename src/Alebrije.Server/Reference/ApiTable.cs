namespace Alebrije.Server.Reference;

/// <summary>All addresses of the service, with their fields. A test compares it with routes and read fields.</summary>
internal static class ApiTable
{
    private const string Common = " model:string keep_alive:number strict:boolean";
    private const string Drawing = " n:integer size:string seed:integer num_inference_steps:integer steps:integer guidance_scale:number"
        + " guidance:number negative_prompt:string prior:string prior_steps:integer prior_guidance_scale:number scheduler:string eta:number"
        + " quality:string response_format:string output_format:string output_compression:integer background:string stream:boolean"
        + " partial_images:integer user:string style:string moderation:string input_fidelity:string" + Common;
    private const string Images = "created:integer data:objects size:string quality:string output_format:string background:string"
        + " usage:object";
    private const string WebUi = " negative_prompt:string seed:integer steps:integer cfg_scale:number width:integer height:integer"
        + " batch_size:integer n_iter:integer send_images:boolean sampler_name:string sampler_index:string scheduler:string"
        + " override_settings:object";
    private const string Pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mM4oaGBFTEMLQ"
        + "kAgl1GARdiiXUAAAAASUVORK5CYII=";

    /// <summary>The addresses, in the order of the page.</summary>
    public static IReadOnlyList<ApiEntry> All { get; } =
    [
        new("POST", "/v1/images/generations", "OpenAI", "Images of a prompt")
        {
            Body = "prompt:string!" + Drawing, Answer = Images, Streams = true,
            Example = "{\"prompt\":\"a lion\",\"size\":\"128x128\",\"seed\":7,\"num_inference_steps\":2,\"prior\":\"linear\"}",
        },
        new("POST", "/v1/images/variations", "OpenAI", "Images that share the embedding of an image")
        {
            Body = "image:file! prompt:string" + Drawing, IsForm = true, Answer = Images, Streams = true,
        },
        new("POST", "/v1/images/edits", "OpenAI", "An image with a redrawn part, or a mixture of images")
        {
            Body = "image:file! mask:file prompt:string!" + Drawing, IsForm = true, Answer = Images, Streams = true,
        },
        new("GET", "/v1/images/files/{name}", "OpenAI", "A drawn image, for an hour") { Type = "image/*" },
        new("POST", "/v1/embeddings", "OpenAI", "Embeddings of texts, token ids and images in one space")
        {
            Body = "input:any! encoding_format:string dimensions:integer user:string" + Common,
            Answer = "object:string data:objects model:string usage:object",
            Example = "{\"input\":[\"a lion\",\"un león\"],\"encoding_format\":\"float\"}",
        },
        new("POST", "/v1/chat/completions", "OpenAI", "Questions on images, answered by a Flamingo")
        {
            Body = "messages:objects! n:integer max_completion_tokens:integer max_tokens:integer temperature:number top_p:number"
                + " seed:integer stream:boolean stream_options:object user:string lead:string" + Common,
            Answer = "id:string object:string created:integer model:string choices:objects usage:object", Streams = true,
            Example = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" + Pixel
                + "\"}},{\"type\":\"text\",\"text\":\"What colour?\"}]}],\"max_tokens\":4}",
        },
        new("GET", "/v1/models", "OpenAI", "Models on this disk") { Answer = "object:string data:objects" },
        new("GET", "/v1/models/{id}", "OpenAI", "A model") { Answer = "id:string object:string created:integer owned_by:string" },

        new("POST", "/api/v1/jobs", "Jobs", "A job, accepted at once")
        {
            Body = "prompt:string! previews:integer trace:boolean" + Drawing, Status = 202,
            Answer = "id:string status:string events:string",
            Example = "{\"prompt\":\"a lion\",\"previews\":2,\"size\":\"128x128\",\"num_inference_steps\":2,\"prior\":\"linear\","
                + "\"trace\":true}",
        },
        new("GET", "/api/v1/jobs/{id}", "Jobs", "State, place in the queue and images of a job")
        {
            Answer = "id:string model:string status:string position:integer estimate_seconds:number error:string images:objects"
                + " trace:string",
        },
        new("DELETE", "/api/v1/jobs/{id}", "Jobs", "Cancellation of a job") { Status = 204 },
        new("GET", "/api/v1/jobs/{id}/events", "Jobs", "Events of a job; Last-Event-ID resumes") { Type = "text/event-stream" },
        new("GET", "/api/v1/jobs/{id}/images/{number}", "Jobs", "An image of a job") { Type = "image/png" },
        new("GET", "/api/v1/trace/{id}", "Jobs", "Trace of a finished job that was posted with trace: true")
        {
            Query = "values:boolean images:boolean",
            Answer = "id:string model:string prompt:string negative_prompt:string seed:integer prior:string steps:integer guidance:number"
                + " clip_score:number seconds:object stages:objects",
        },

        new("POST", "/api/v1/search", "CLIP", "Search of the indexed images by texts and images, added and subtracted")
        {
            Body = "text:string image:string plus:any minus:any top:integer false_alarm_rate:number thumbnails:boolean" + Common,
            Answer = "model:string searched:integer below_cut:integer cut:number false_alarm_rate:number results:objects",
            Example = "{\"text\":\"a lion\",\"minus\":[\"a tree\"],\"top\":5,\"false_alarm_rate\":1}",
        },
        new("POST", "/api/v1/similarity", "CLIP", "Cosines and probabilities of images and texts")
        {
            Body = "images:strings! texts:strings!" + Common, Answer = "model:string texts:strings cosines:any probabilities:any",
            Example = "{\"images\":[\"" + Pixel + "\"],\"texts\":[\"red\",\"blue\"]}",
        },
        new("POST", "/api/v1/classify", "CLIP", "Zero-shot classes of images")
        {
            Body = "images:strings! labels:strings! templates:strings" + Common, Answer = "model:string labels:strings images:objects",
            Example = "{\"images\":[\"" + Pixel + "\"],\"labels\":[\"lion\",\"tree\"]}",
        },
        new("POST", "/api/v1/pca", "CLIP", "Principal components of images and texts")
        {
            Body = "images:strings texts:strings components:integer" + Common,
            Answer = "model:string images:any texts:any variance_ratio:any", Example = "{\"texts\":[\"a lion\",\"a tree\",\"a car\"]}",
        },
        new("POST", "/api/v1/tokenize", "CLIP", "Tokens of a text")
        {
            Body = "text:string!" + Common, Example = "{\"text\":\"a lion\"}",
            Answer = "model:string clean:string ids:any tokens:strings length:integer max_length:integer truncated:boolean",
        },

        new("POST", "/sdapi/v1/txt2img", "Web UI", "Images of a prompt, in the shape of AUTOMATIC1111's web UI")
        {
            Body = "prompt:string!" + WebUi, Answer = "images:strings parameters:object info:string",
            Example = "{\"prompt\":\"a lion\",\"seed\":7,\"steps\":2,\"width\":128,\"height\":128}",
        },
        new("POST", "/sdapi/v1/img2img", "Web UI", "Images from an image, with or without a mask")
        {
            Body = "init_images:strings! mask:string inpainting_mask_invert:integer prompt:string" + WebUi,
            Answer = "images:strings parameters:object info:string",
            Example = "{\"prompt\":\"a lion\",\"init_images\":[\"" + Pixel + "\"],\"steps\":2,\"width\":128,\"height\":128}",
        },
        new("GET", "/sdapi/v1/progress", "Web UI", "Progress of this client's pending request")
        {
            Query = "skip_current_image:boolean",
            Answer = "progress:number eta_relative:number state:object current_image:string textinfo:string",
        },
        new("POST", "/sdapi/v1/interrupt", "Web UI", "Interruption of this client's pending request") { Answer = " " },
        new("POST", "/sdapi/v1/png-info", "Web UI", "Recipe in the text of a PNG")
        {
            Body = "image:string!", Answer = "info:string items:object parameters:object", Example = "{\"image\":\"" + Pixel + "\"}",
        },
        new("GET", "/sdapi/v1/sd-models", "Web UI", "Models on this disk"),
        new("GET", "/sdapi/v1/samplers", "Web UI", "Names of samplers"),
        new("GET", "/sdapi/v1/options", "Web UI", "The service's model") { Answer = "sd_model_checkpoint:string samples_format:string" },

        new("POST", "/mcp", "MCP", "The tools imagine, describe and search by the Model Context Protocol")
        {
            Body = "jsonrpc:string! method:string! id:any params:object", Answer = "jsonrpc:string id:any result:object", Streams = true,
        },

        new("GET", "/api/v1/models", "Operation", "Models on the disk, with licences") { Answer = "models:objects" },
        new("GET", "/api/v1/models/loaded", "Operation", "Models in memory") { Answer = "models:objects" },
        new("DELETE", "/api/v1/models/loaded/{name}", "Operation", "Unloading of a model") { Status = 204 },
        new("GET", "/alive", "Operation", "Live") { Type = "text/plain" },
        new("GET", "/healthz", "Operation", "Live") { Type = "text/plain" },
        new("GET", "/health", "Operation", "Ready: jobs are accepted") { Type = "text/plain" },
        new("GET", "/readyz", "Operation", "Ready: jobs are accepted") { Type = "text/plain" },
        new("GET", "/metrics", "Operation", "Counters for Prometheus") { Type = "text/plain" },
    ];
}
