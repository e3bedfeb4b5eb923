namespace Alebrije.Benchmarks;

/// <summary><c>dotnet run -c Release --project bench/Alebrije.Benchmarks -- NAME [--rounds N]</c></summary>
internal static class Program
{
    private const int UsualRounds = 15;

    /// <summary>Benchmarks with few, long rounds.</summary>
    private static readonly string[] Long = ["decode", "sd15", "sdxl", "if", "sd-step", "flamingo", "index"];

    /// <summary>Benchmarks by their name on the command line.</summary>
    private static readonly Dictionary<string, (string What, Action<int> Run)> Benchmarks = new(StringComparer.Ordinal)
    {
        ["tokenizer"] = ("ClipTokenizer against Microsoft.ML.Tokenizers, cleaning included", TokenizerBenchmark.Run),
        ["clip"] = ("CLIP of ViT-B/32's size, packed against plain fp32", ClipTowers.Run),
        ["folder"] = ("1,000 and 10,000 JPEGs, from files to embeddings", FolderOfJpegs.Run),
        ["prior"] = ("sampling of Karlo's prior, the text computed once against the whole sequence in every step", PriorSampling.Run),
        ["karlo"] = (
            "one picture by random weights of Karlo's size, N steps of "
                + "the decoder: memory and time against their estimate; needs 7 GB of disk",
                KarloSized.Run),
        ["sd15"] = (
            "one image by random weights of Stable Diffusion 1.5's size, "
                + "N steps: time and memory against their estimate; needs 3 GB of disk",
                SizedPipelines.Sd15),
        ["sdxl"] = ("the same of SDXL's size; needs 7 GB of disk", SizedPipelines.Sdxl),
        ["if"] = ("the same of DeepFloyd IF's first stage (M) with T5 XXL; needs 11 GB of disk", SizedPipelines.DeepFloyd),
        ["sd-step"] = ("a guided step of Stable Diffusion 1.5 at 512 x 512 against plain float32, N rounds", DenoiserStep.Run),
        ["flamingo"] = ("caption by random weights of OpenFlamingo 3B's size: memory; N rounds of 128 tokens with and without the cache; "
            + "needs 5 GB of disk", SizedFlamingo.Run),
        ["decode"] = ("Stable Diffusion's autoencoder alone, decoding N times 512 pixels: time and peak memory", SizedPipelines.Decode),
        ["search"] = ("exact search of 10^4 to 10^6 vectors against the memory's bandwidth, and USearch", VectorSearchBenchmark.Run),
        ["index"] = ("index add against embedding the same images alone; memory with 1,000 and 10,000 images", IndexingBenchmark.Run),
        ["relevance"] = ("the relevance cut of searches on held-out scenes: true matches kept, false alarms", RelevanceBenchmark.Run),
        ["fuzz"] = ("N damaged files against every reader", ReaderFuzzing.Run),
        ["generations"] = ("memory after N images in one process against that after the first tenth, at least 100", Generations.Run),
    };

    private static int Main(string[] arguments)
    {
        if (arguments is ["campaign", .. var options]) return Campaign.Run(options);
        if (arguments is ["kills", .. var kills]) return KilledVerbs.Run(kills);
        if (arguments is ["serve-load", .. var load]) return ServerLoad.Run(load);
        var rounds = UsualRounds;
        if (arguments is not ([_] or [_, "--rounds", _]) || !Benchmarks.TryGetValue(arguments[0], out var benchmark)
            || (arguments.Length == 3
                && (!int.TryParse(arguments[2], out rounds) || rounds < (Long.Contains(arguments[0]) ? 1 : Comparison.FewestRounds))))
        {
            Console.Error.WriteLine($"Usage: Alebrije.Benchmarks NAME [--rounds N], N at least {Comparison.FewestRounds}; names are:");
            foreach (var (name, (what, _)) in Benchmarks) Console.Error.WriteLine($"  {name,-12}{what}");
            Console.Error.WriteLine($"  {"campaign",-12}{Campaign.Usage}");
            Console.Error.WriteLine($"  {"kills",-12}{KilledVerbs.Usage}");
            Console.Error.WriteLine($"  {"serve-load",-12}{ServerLoad.Usage}");
            return 2;
        }

        benchmark.Run(rounds);
        return 0;
    }
}
