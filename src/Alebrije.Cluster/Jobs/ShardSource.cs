using System.Text.Json.Serialization;

namespace Alebrije.Cluster.Jobs;

/// <summary>Images of a shard: those of an archive, or files.</summary>
/// <param name="Tar">Full path of a tar archive; null for files.</param>
/// <param name="Files">Paths of the files, relative to <paramref name="Root"/>.</param>
/// <param name="Root">Full path of the folder of the files; labels are relative to it.</param>
internal sealed record ShardSource(string? Tar, IReadOnlyList<string>? Files = null, string? Root = null);

/// <summary>Facts of a plan, without its shards.</summary>
/// <param name="Source">The given source.</param>
/// <param name="Shards">Number of shards.</param>
/// <param name="Fingerprint">SHA-256 over all shards.</param>
internal sealed record PlanFacts(string Source, int Shards, string Fingerprint);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ShardSource))]
[JsonSerializable(typeof(PlanFacts))]
[JsonSerializable(typeof(ManifestDocument))]
[JsonSerializable(typeof(FailureRow[]))]
internal sealed partial class ClusterJson : JsonSerializerContext;
