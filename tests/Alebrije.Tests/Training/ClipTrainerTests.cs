using Alebrije.Models.Clip;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Initial weights of a run of CLIP.</summary>
public sealed class ClipTrainerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-clip-").FullName;
    private readonly CaptionedScenes scenes;

    public ClipTrainerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Run_FromAnEarlierOne_StartsWithItsWeightsAndTokenizer()
    {
        var start = Path.Combine(folder, "start");
        TinyParts.WriteClipRun(start, scenes);
        var run = Train(new ClipTrainingConfig { Model = TinyParts.Clip,
            Start = start, Batch = 4, Samples = 4, LearningRate = 0, EvaluateMinutes = 1e6 });
        AssertSame(Path.Combine(start, "clip"), Path.Combine(run, "clip"));
        foreach (var file in Directory.GetFiles(Path.Combine(start, "tokenizer")))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(run, "tokenizer", Path.GetFileName(file))));
    }

    [Fact]
    public void Run_FromAModel_StartsWithItsTowers()
    {
        using var scope = NewDisposeScope();
        var start = Path.Combine(folder, "start");
        TinyParts.WriteClipRun(start, scenes);
        var model = WriteTowers(start);
        using var opened = TrainedClip.Open(model);
        using var own = TrainedClip.Open(start);
        var (ids, length) = own.Prepare("a lion");
        Assert.Equal(ids, opened.Prepare("a lion").Ids);
        var row = tensor(ids, [1, ids.Length]);
        Assert.Equal(own.Texts(row, [length]).Embeddings.data<float>().ToArray(),
            opened.Texts(row, [length]).Embeddings.data<float>().ToArray());

        var run = Train(new ClipTrainingConfig
        {
            Model = TinyParts.Clip, Start = model, LogitScale = 30, Batch = 4, Samples = 4, LearningRate = 0, EvaluateMinutes = 1e6,
        });
        AssertSame(Path.Combine(start, "clip"), Path.Combine(run, "clip"), except: "logit_scale");
        using var trained = new SafeTensorsFile(Path.Combine(run, "clip", "model.safetensors"));
        Assert.Equal(Math.Log(30), trained.Read("logit_scale").ToDouble(), 1e-6);
    }

    private string Train(ClipTrainingConfig config)
    {
        var run = Path.Combine(folder, "run");
        new ClipTrainer(config with { Precision = Precision.Fp32, EmaDecay = 0 }, scenes).Run(new TrainingOptions(run));
        return run;
    }

    /// <summary>Writes the CLIP of a packed model: separate towers, and the tokenizer.</summary>
    private string WriteTowers(string run)
    {
        var model = Path.Combine(folder, "model");
        using var clip = TrainedClip.Open(run);
        var tensors = clip.Network.state_dict();
        Write("prior_text_encoder", clip.Network.Config.TextConfig, new ClipTextModel(clip.Network.Config.TextConfig, projects: true));
        Write("image_encoder", clip.Network.Config.VisionConfig, new ClipVisionModel(clip.Network.Config.VisionConfig, projects: true));
        Directory.CreateDirectory(Path.Combine(model, "prior_tokenizer"));
        foreach (var file in Directory.GetFiles(Path.Combine(run, "tokenizer")))
            File.Copy(file, Path.Combine(model, "prior_tokenizer", Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(model, "model_index.json"), "{}");
        return model;

        void Write<T>(string component, T config, nn.Module tower) where T : notnull
        {
            using var _ = tower;
            var part = Path.Combine(model, component);
            ConfigFile.Write(Path.Combine(part, "config.json"), config);
            SafeTensorsWriter.Write(Path.Combine(part, "model.safetensors"),
                tower.state_dict().Keys.Select(name => KeyValuePair.Create(name, tensors[name])));
        }
    }

    private static void AssertSame(string first, string second, string? except = null)
    {
        using var one = CheckpointFolder.OpenWeights(first);
        using var other = CheckpointFolder.OpenWeights(second);
        Assert.Equal(one.Names.Order(StringComparer.Ordinal), other.Names.Order(StringComparer.Ordinal));
        foreach (var name in one.Names.Where(name => name != except))
        {
            using var mine = one.Read(name);
            using var theirs = other.Read(name);
            Assert.True(mine.bytes.SequenceEqual(theirs.bytes), $"{name} differs");
        }
    }
}
