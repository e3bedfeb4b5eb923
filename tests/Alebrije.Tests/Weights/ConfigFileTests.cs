using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Tests.Weights;

public sealed class ConfigFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-config-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Read_OfMissingAndNullKeys_GivesTheDefaults()
    {
        var path = Write("""
            {"_class_name": "Some\"Infinity\"Model", "hidden_size": 7.0, "act_fn": null, "layers": null, "new_key": [1], "head_dim": 8,
             "lambda_min_clipped": -Infinity, "note": "NaN and Infinity stay text", "norm_eps": 1e-05}
            """);
        var config = ConfigFile.Read<Sample>(path);
        Assert.Equal(new Sample { HiddenSize = 7, LambdaMinClipped = double.NegativeInfinity,
            Note = "NaN and Infinity stay text", NormEps = 1e-5, HeadDim = config.HeadDim }, config);
        Assert.Equal([8], config.HeadDim);
        Assert.Equal("Some\"Infinity\"Model", ConfigFile.ClassName(folder));
    }

    [Theory]
    [InlineData("{\"hidden_size\": \"many\"}", "hidden_size")]
    [InlineData("{\"hidden_size\": 1.5}", "hidden_size")]
    [InlineData("{\"layers\": 3}", "hidden_size")]
    [InlineData("{\"hidden_size\": 1, \"head_dim\": [1, true]}", "head_dim")]
    [InlineData("{\"hidden_size\": 1", "not valid JSON")]
    [InlineData("[1]", "must hold a JSON object")]
    public void Read_OfAWrongValue_NamesFileAndKey(string json, string expected)
    {
        var path = Write(json);
        var error = Assert.Throws<WeightsException>(() => ConfigFile.Read<Sample>(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfOurOwnFiles_RefusesUnknownKeys() =>
        Assert.Contains("new_key", Assert.Throws<WeightsException>(
            () => ConfigFile.Read<Sample>(Write("{\"hidden_size\": 1, \"new_key\": 2}"), unknownKeysAllowed: false)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Read_OfAMissingFile_SaysWhere() =>
        Assert.Contains("config.json", Assert.Throws<CheckpointNotFoundException>(() => ConfigFile.Read<Sample>(folder)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Write_ThenRead_GivesTheSame()
    {
        var path = Path.Combine(folder, "config.json");
        var config = new Sample { HiddenSize = 3, HeadDim = [5, 10], LambdaMinClipped = double.NegativeInfinity, Layers = 9 };
        ConfigFile.Write(path, config, "SampleModel");
        var read = ConfigFile.Read<Sample>(folder, unknownKeysAllowed: true);
        Assert.Equal([5, 10], read.HeadDim);
        Assert.Equal(config with { HeadDim = read.HeadDim }, read);
        Assert.Equal("SampleModel", ConfigFile.ClassName(path));
    }

    private string Write(string json)
    {
        var path = Path.Combine(folder, "config.json");
        File.WriteAllText(path, json);
        return path;
    }

    private sealed record Sample
    {
        public required int HiddenSize { get; init; }

        public int Layers { get; init; } = 12;

        public string ActFn { get; init; } = "silu";

        public string? Note { get; init; }

        public double NormEps { get; init; } = 1e-6;

        public double LambdaMinClipped { get; init; }

        [JsonConverter(typeof(OneOrManyConverter<int>))]
        public int[] HeadDim { get; init; } = [];
    }
}
