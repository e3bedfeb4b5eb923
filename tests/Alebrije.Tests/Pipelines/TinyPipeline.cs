using System.Text.Json.Nodes;
using Alebrije.Pipelines;

namespace Alebrije.Tests.Pipelines;

/// <summary>A copy of the golden Stable unCLIP folder (random weights, 32 pixels) that a test may change.</summary>
internal sealed class TinyPipeline : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-pipeline-").FullName;

    public TinyPipeline()
    {
        Folder = Path.Combine(root, "tiny");
        foreach (var file in Directory.GetFiles(Golden, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(Folder, Path.GetRelativePath(Golden, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    /// <summary>The golden folder itself, not to be changed.</summary>
    public static string Golden { get; } = Path.Combine(AppContext.BaseDirectory, "Fixtures", "stable-unclip-euler", "model");

    public string Folder { get; }

    public string this[params string[] path] => Path.Combine([Folder, .. path]);

    /// <summary>Changes a JSON file.</summary>
    public void Edit(string file, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(this[file]))!.AsObject();
        change(json);
        File.WriteAllText(this[file], json.ToJsonString());
    }

    public void Dispose() => Directory.Delete(root, recursive: true);
}

internal static class Drawing
{
    /// <summary>Generates with the test's own cancellation token.</summary>
    public static GenerationResult Run(this ImagePipeline pipeline,
        GenerationRequest request, Action<GenerationProgress>? progress = null, GenerationTrace? trace = null) =>
            pipeline.Generate(request, progress, trace, TestContext.Current.CancellationToken);
}
