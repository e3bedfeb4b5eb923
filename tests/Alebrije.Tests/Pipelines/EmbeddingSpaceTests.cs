using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Pipelines;

public sealed class EmbeddingSpaceTests
{
    private static readonly EmbeddingSpace Mini = new("mini", 4, "0011223344556677");

    [Theory]
    [InlineData("mini", 4, "0011223344556677", true)]
    [InlineData("mini", 4, null, true)]
    [InlineData("mini", 5, "0011223344556677", false)]
    [InlineData("maxi", 4, "0011223344556677", false)]
    [InlineData("mini", 4, "7766554433221100", false)]
    public void Require_OnlyTheSameModelDimensionAndPreparation(string model, int dimensions, string? preprocessing, bool same)
    {
        var other = new EmbeddingSpace(model, dimensions, preprocessing);
        Assert.Equal(same, Mini.IsSame(other));
        Assert.Equal(same, other.IsSame(Mini));
        if (same) return;
        var message = Assert.Throws<InvalidDataException>(() => Mini.Require(other)).Message;
        Assert.Contains("mini (4 numbers, preprocessing 0011223344556677)", message, StringComparison.Ordinal);
        Assert.Contains($"{model} ({dimensions} numbers", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mini", "0011223344556677")]
    [InlineData("a|b name", null)]
    public void TryParse_ReadsWhatToStringWrote(string model, string? preprocessing)
    {
        var space = new EmbeddingSpace(model, 512, preprocessing);
        Assert.True(EmbeddingSpace.TryParse(space.ToString(), out var read));
        Assert.Equal(space, read);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("mini")]
    [InlineData("mini|x|y")]
    [InlineData("|4|y")]
    [InlineData("mini|0|")]
    public void TryParse_OtherTexts_AreNone(string? text) => Assert.False(EmbeddingSpace.TryParse(text, out _));

    [Fact]
    public void Fingerprint_FollowsTokenizerAndPictures()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-space-").FullName;
        try
        {
            TestModels.Copy(TestModels.StableUnClip, folder);
            EmbeddingSpace Load()
            {
                using var model = ClipModel.Load(folder);
                return model.Space;
            }

            var whole = Load();
            Assert.Equal(whole, Load());
            var file = Path.Combine(folder, "feature_extractor", "preprocessor_config.json");
            File.WriteAllText(file, File.ReadAllText(file).Replace("\"image_std\": [",
                "\"image_std\": [0.25, 0.25, 0.25], \"unused\": [", StringComparison.Ordinal));
            Assert.False(whole.IsSame(Load()));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(".npy")]
    [InlineData(".parquet")]
    [InlineData(".json")]
    public async Task Files_CarryTheSpace_AndMixturesAreRefused(string ending)
    {
        var path = Path.Combine(Path.GetTempPath(), $"alebrije-space-{Guid.NewGuid():N}{ending}");
        try
        {
            var set = new EmbeddingSet(Mini, [new EmbeddingItem(EmbeddingKind.Text, "a", [1, 0, 0, 0])]);
            await EmbeddingFile.WriteAsync(path, set, TestContext.Current.CancellationToken);
            var read = await EmbeddingFile.ReadAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(Mini, read.Space);
            Assert.Equal(2, read.With(set).Items.Count);
            Assert.Throws<InvalidDataException>(() =>
                read.With(new EmbeddingSet(Mini with { Preprocessing = "7766554433221100" }, set.Items)));
            Assert.Throws<InvalidDataException>(() => read.RequireSpace(Mini with { Model = "maxi" }));
        }
        finally
        {
            File.Delete(path);
            File.Delete(Path.ChangeExtension(path, ".labels.json"));
        }
    }

    [Fact]
    public void Set_OfAnotherDimensionThanItsSpace_IsRefused() =>
        Assert.Throws<ArgumentException>(() => new EmbeddingSet(Mini, [new EmbeddingItem(EmbeddingKind.Text, "a", [1, 0])]));
}
