using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Names of published checkpoints, and the hub's environment variables.</summary>
public sealed class PublishedModelsTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("alebrije-home-").FullName;

    public void Dispose() => Directory.Delete(home, recursive: true);

    [Fact]
    public void Names_AreOfOneModelEach_AndTypedWithoutShift()
    {
        var names = PublishedModels.All.SelectMany(model => model.Aliases.Append(model.Name)).ToArray();
        Assert.Equal(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.DoesNotContain(ModelCatalog.DefaultName, names);
        Assert.All(names, name => Assert.Matches("^[a-z0-9.-]+$", name));
        Assert.All(PublishedModels.All,
            model => Assert.All(model.Repositories, repository => Assert.NotNull(HubRepository.TryParse(repository))));
        Assert.All(PublishedModels.All, model => Assert.False(string.IsNullOrEmpty(model.Licence)));
    }

    [Theory]
    [InlineData("clip-vit-b-32", "openai/clip-vit-base-patch32")]
    [InlineData("CLIP", "openai/clip-vit-base-patch32")]
    [InlineData("open-clip-vit-h-14", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K")]
    [InlineData("karlo", "kakaobrain/karlo-v1-alpha")]
    [InlineData("kandinsky-2.2", "kandinsky-community/kandinsky-2-2-decoder")]
    [InlineData("kandinsky-2.2-controlnet-depth", "kandinsky-community/kandinsky-2-2-controlnet-depth")]
    [InlineData("eclipse-karlo", "ECLIPSE-Community/ECLIPSE_Karlo_Prior")]
    [InlineData("sd-1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5")]
    [InlineData("openflamingo", "openflamingo/OpenFlamingo-3B-vitl-mpt1b")]
    [InlineData("openflamingo-9b", "openflamingo/OpenFlamingo-9B-vitl-mpt7b")]
    public void NamesAPersonTypes_AreKnown(string name, string repository)
    {
        var model = PublishedModels.Find(name)!;
        Assert.Equal(repository, model.Repositories[0]);
        Assert.NotEmpty(model.Verbs);
    }

    [Theory]
    [InlineData("karlo", "imagine", "vary")]
    [InlineData("karlo-variations", "vary", "imagine")]
    [InlineData("kandinsky-2.1", "textdiff", "upscale")]
    [InlineData("kandinsky-2.2-inpaint", "inpaint", "imagine")]
    [InlineData("sd-2.1-unclip", "interpolate", "textdiff")]
    [InlineData("stable-karlo", "sweep", "vary")]
    [InlineData("clip-vit-b-32", "explain", "imagine")]
    [InlineData("clip-rn50", "classify", "explain")]
    [InlineData("siglip", "similarity", "explain")]
    [InlineData("sd-1.5", "imagine", "vary")]
    [InlineData("sd-2.1", "tokenize", "embed")]
    [InlineData("sdxl", "interpolate", "vary")]
    [InlineData("deepfloyd-if", "inpaint", "tokenize")]
    [InlineData("openflamingo-4b", "ask", "imagine")]
    public void Verbs_AreThoseThatThePartsOfAModelAllow(string name, string can, string cannot)
    {
        var model = PublishedModels.Find(name)!;
        Assert.Contains(can, model.Verbs);
        Assert.DoesNotContain(cannot, model.Verbs);
    }

    [Theory]
    [InlineData("vitb32", "clip-vit-b-32")]
    [InlineData("karl0", "karlo")]
    [InlineData("sd1.5", "sd-1.5")]
    [InlineData("kandinsky2.2", "kandinsky-2.2")]
    [InlineData("siglip-b", "siglip-vit-b-16")]
    public void Slips_AreUnderstood(string typed, string meant) => Assert.Contains(meant, PublishedModels.Suggest(typed, []));

    [Fact]
    public void Catalogue_OffersThePublishedName_ForASlip()
    {
        var message = Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([home]).Find("karl0")).Message;
        Assert.StartsWith("There is no model 'karl0'; did you mean karlo?", message, StringComparison.Ordinal);
        Assert.Equal("karlo is not on this disk; 'alebrije models pull karlo' fetches it.",
            Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([home]).Find("karlo")).Message);
    }

    [Theory]
    [InlineData("owner/name", true)]
    [InlineData("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", true)]
    [InlineData("timm/resnet50_clip.openai", true)]
    [InlineData("name", false)]
    [InlineData("a/b/c", false)]
    [InlineData("../name", false)]
    [InlineData("owner/..", false)]
    [InlineData("owner/a--b", false)]
    [InlineData("owner/na me", false)]
    [InlineData("./folder", false)]
    public void Repositories_AreOwnerAndName(string text, bool isOne)
    {
        Assert.Equal(isOne, HubRepository.TryParse(text) is not null);
        if (isOne) Assert.Equal(text, HubRepository.FromFolder(HubRepository.TryParse(text)!.Value.Folder).ToString());
    }

    [Fact]
    public void Environment_DecidesAsForOtherTools()
    {
        var plain = From();
        Assert.Equal((HubSettings.PublicHub, null, false, Path.Combine(home, ".cache", "huggingface", "hub")),
            (plain.Endpoint, plain.Token, plain.Offline, plain.Cache));
        Assert.Equal(Path.Combine(home, "h", "hub"), From(("HF_HOME", "~/h")).Cache);
        Assert.Equal(Path.Combine(home, "c"), From(("HF_HOME", "~/h"), ("HF_HUB_CACHE", Path.Combine(home, "c"))).Cache);
        Assert.Equal(Path.Combine(home, "x", "huggingface", "hub"), From(("XDG_CACHE_HOME", Path.Combine(home, "x"))).Cache);
        Assert.Equal("https://mirror.example/", From(("HF_ENDPOINT", "https://mirror.example/")).Endpoint.AbsoluteUri);
        Assert.True(From(("HF_HUB_OFFLINE", "true")).Offline);
        Assert.False(From(("HF_HUB_OFFLINE", "0")).Offline);
    }

    [Fact]
    public void Token_ComesFromTheEnvironment_ElseFromTheFile_AndIsNeverPrinted()
    {
        Directory.CreateDirectory(Path.Combine(home, ".cache", "huggingface"));
        File.WriteAllText(Path.Combine(home, ".cache", "huggingface", "token"), "hf_file\n");
        Assert.Equal("hf_file", From().Token);
        Assert.Equal("hf_own", From(("HF_TOKEN", "hf_own ")).Token);
        Assert.Null(From(("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).Token);
        Assert.DoesNotContain("hf_", From().ToString(), StringComparison.Ordinal);
        Assert.Contains("copy it again", Assert.Throws<HubException>(() => From(("HF_TOKEN", "hf_a\nX: y"))).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("huggingface.co")]
    [InlineData("ftp://huggingface.co")]
    [InlineData("file:///etc")]
    public void Endpoint_ThatIsNoAddress_IsSaid(string value) =>
        Assert.Contains($"HF_ENDPOINT is '{value}'", Assert.Throws<HubException>(() => From(("HF_ENDPOINT", value))).Message,
            StringComparison.Ordinal);

    private HubSettings From(params (string Name, string Value)[] variables) =>
        HubSettings.From(name => variables.FirstOrDefault(variable => variable.Name == name).Value, home);
}
