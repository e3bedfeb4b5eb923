using Alebrije.Models.Clip;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Verification;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class ContrastiveLossTests
{
    public ContrastiveLossTests() => TorchRuntime.Initialize();

    [Fact]
    public void TrainingStep_IsTheReferences_LossesNormsClippedGradientsAndWeights()
    {
        var report = Verifier.Run(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-train-step"),
            null, TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);
        var outputs = report.Cases.Select(c => c.Output!).ToArray();
        Assert.Equal(20, outputs.Length);
        foreach (var name in (string[])["loss_0", "loss_1", "grad_norm_0",
            "grad_norm_1", "grad/logit_scale", "after/logit_scale", "after/text_projection.weight"])
            Assert.Contains(name, outputs);
    }

    [Fact]
    public void Loss_OfRandomEmbeddings_IsTheMeanOfBothCrossEntropies()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (texts, images) = (ClipNetwork.Unit(noise.Randn(5, 7)), ClipNetwork.Unit(noise.Randn(5, 7)));
        var loss = ContrastiveLoss.Compute(texts, images, tensor(1.5f)).ToDouble();
        Assert.Equal(ByHand(texts, images, Math.Exp(1.5), (_, _) => true), loss, 1e-5);
    }

    [Fact]
    public void SameText_InTwoRows_IsNoNegative()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        string[] captions = ["a cat", "a dog", "a cat", "two birds"];
        var (texts, images) = (ClipNetwork.Unit(noise.Randn(4, 6)), ClipNetwork.Unit(noise.Randn(4, 6)));
        var loss = ContrastiveLoss.Compute(texts, images, tensor(0.5f), ContrastiveLoss.SameText(captions)).ToDouble();
        Assert.Equal(ByHand(texts, images, Math.Exp(0.5), (i, j) => i == j || captions[i] != captions[j]), loss, 1e-5);
        Assert.Null(ContrastiveLoss.SameText(["a cat", "a dog"]));
    }

    [Fact]
    public void Loss_OfEqualEmbeddings_IsTheLogarithmOfTheBatch()
    {
        using var scope = NewDisposeScope();
        var same = ClipNetwork.Unit(ones(16, 3));
        Assert.Equal(Math.Log(16), ContrastiveLoss.Compute(same, same, tensor(2f)).ToDouble(), 1e-5);
    }

    private static double ByHand(Tensor texts, Tensor images, double scale, Func<int, int, bool> counts)
    {
        var count = (int)texts.shape[0];
        double Logit(int i, int j) => scale * (texts[i] * images[j]).sum().ToDouble();
        var total = 0.0;
        for (var i = 0; i < count; i++)
        {
            total += Math.Log(Enumerable.Range(0, count).Where(j => counts(i, j)).Sum(j => Math.Exp(Logit(i, j)))) - Logit(i, i);
            total += Math.Log(Enumerable.Range(0, count).Where(j => counts(i, j)).Sum(j => Math.Exp(Logit(j, i)))) - Logit(i, i);
        }

        return total / (2 * count);
    }
}
