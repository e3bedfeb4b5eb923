using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

public sealed class ModelCatalogTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-catalog-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Mini_BesideTheProgram_IsFound()
    {
        var program = Directory.CreateDirectory(Path.Combine(folder, "bin")).FullName;
        var mini = Model(Path.Combine(program, "models", "mini"));
        Assert.Equal(mini, ModelCatalog.Create(program, folder, null).Find("mini"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Mini_InAClone_IsFoundFromWithin(bool fromProgram)
    {
        var mini = Model(Path.Combine(folder, "clone", "models", "mini"));
        var within = Directory.CreateDirectory(Path.Combine(folder, "clone", "artifacts", "bin")).FullName;
        var elsewhere = Directory.CreateDirectory(Path.Combine(folder, "elsewhere")).FullName;
        var catalog = fromProgram ? ModelCatalog.Create(within, elsewhere, null) : ModelCatalog.Create(elsewhere, within, null);
        Assert.Equal(mini, catalog.Find("mini"));
    }

    [Fact]
    public void Variable_ListsFurtherFolders_AndDecidesFirst()
    {
        var mini = Model(Path.Combine(folder, "mine", "mini"));
        var other = Model(Path.Combine(folder, "others", "other"));
        Model(Path.Combine(folder, "bin", "models", "mini"));
        var catalog = ModelCatalog.Create(Path.Combine(folder, "bin"),
            folder, $"{Path.Combine(folder, "mine")}{Path.PathSeparator}{Path.Combine(folder, "others")}");
        Assert.Equal(mini, catalog.Find("mini"));
        Assert.Equal(["mini", "other"], catalog.List().Select(m => m.Name));
        Assert.Equal(other, catalog.Find("other"));
    }

    [Fact]
    public void FoldersAboveAClone_WithoutTheDefault_AreNotTaken()
    {
        Model(Path.Combine(folder, "models", "stranger"));
        var within = Directory.CreateDirectory(Path.Combine(folder, "a", "b")).FullName;
        Assert.Empty(ModelCatalog.Create(within, within, null).List());
    }

    [Fact]
    public void Path_OfAFolder_IsTakenAsItIs()
    {
        var model = Model(Path.Combine(folder, "somewhere"));
        Assert.Equal(model, new ModelCatalog([]).Find(model));
    }

    [Fact]
    public void UnknownName_ListsTheKnownOnes_AndSaysThatAPathWorks()
    {
        Model(Path.Combine(folder, "models", "mini"));
        Model(Path.Combine(folder, "models", "karlo"));
        var error = Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([Path.Combine(folder, "models")]).Find("dall-e"));
        Assert.Equal("There is no model 'dall-e'; did you mean karlo? "
            + "Otherwise known names are mini, karlo, and the path of a model's folder works too.", error.Message);
    }

    [Fact]
    public void UnknownName_WhereNothingIsKnown_SaysWhereItLooked() =>
        Assert.Contains(folder, Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([folder]).Find("mini")).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("..")]
    [InlineData("no/such/folder")]
    public void NameThatIsNone_IsRefused(string name)
    {
        var catalog = new ModelCatalog([Path.Combine(folder, "models")]);
        if (name == "..") Assert.Throws<CheckpointNotFoundException>(() => catalog.Describe(name));
        else Assert.Throws<CheckpointNotFoundException>(() => catalog.Find(name));
    }

    [Fact]
    public void File_InsteadOfAFolder_IsExplained()
    {
        var file = Path.Combine(Model(Path.Combine(folder, "m")), "model_index.json");
        Assert.Contains("is a file", Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([]).Find(file)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_CountsParametersOfEveryPart()
    {
        var description = new ModelCatalog([]).Describe(TestModels.StableUnClip);
        Assert.Equal(("StableUnCLIPPipeline", "text to image"), (description.Model.ClassName, description.Model.Kind));
        Assert.Equal(13, description.Components.Count);
        Assert.Null(description.Components.Single(c => c.Name == "tokenizer").Parameters);
        var normalizer = description.Components.Single(c => c.Name == "image_normalizer");
        Assert.Equal(("StableUnCLIPImageNormalizer", 48L), (normalizer.ClassName, normalizer.Parameters));
        Assert.Equal("Float16", Assert.Single(description.Components.Single(c => c.Name == "image_encoder").Types));
        Assert.Equal(description.Components.Sum(c => c.Parameters ?? 0), description.Parameters);
        Assert.Equal(new DirectoryInfo(TestModels.StableUnClip).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length),
            description.Model.Bytes);
        Assert.Null(description.Card);
        Assert.Null(description.Licence);
    }

    [Fact]
    public void Describe_ReadsCardLicenceAndEvaluation()
    {
        var model = Model(Path.Combine(folder, "m"));
        File.WriteAllText(Path.Combine(model, "README.md"), "---\nlicense: mit\nlanguage: en\n---\n# A model\n\nIt draws.\n");
        File.WriteAllText(Path.Combine(model, "evaluation.json"), """{"metrics":{"clip":{"zero_shot_top1_en":{"value":0.5}}}}""");
        var description = new ModelCatalog([]).Describe(model);
        Assert.Equal(("mit", "# A model\n\nIt draws."), (description.Licence, description.Card));
        Assert.Equal(0.5, (double)description.Evaluation!["metrics"]!["clip"]!["zero_shot_top1_en"]!["value"]!);
    }

    [Fact]
    public void Describe_OfAModelWhosePartIsMissing_NamesIt()
    {
        var model = Path.Combine(folder, "m");
        TestModels.Copy(TestModels.StableUnClip, model);
        Directory.Delete(Path.Combine(model, "unet"), recursive: true);
        Assert.Contains("unet", Assert.Throws<CheckpointNotFoundException>(() => new ModelCatalog([]).Describe(model)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void List_ShowsADamagedModelToo()
    {
        File.WriteAllText(Path.Combine(Model(Path.Combine(folder, "models", "broken")), "model_index.json"), "{");
        Assert.Equal("damaged", Assert.Single(new ModelCatalog([Path.Combine(folder, "models")]).List()).ClassName);
    }

    private static string Model(string path)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "model_index.json"), """{"_class_name":"StableUnCLIPPipeline"}""");
        return path;
    }
}
