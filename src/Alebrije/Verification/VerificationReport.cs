using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Verification;

/// <summary>What came of one comparison: a tensor, a kind of text field, the tensors of a network, or a file.</summary>
public sealed record VerificationCase
{
    /// <summary>The fixture, relative to the folder that was given; null when that folder is the fixture.</summary>
    public string? Fixture { get; init; }

    /// <summary>The case: a name from <c>cases.json</c>, <c>text</c>, a model of a census, or a component of a checkpoint.</summary>
    public required string Id { get; init; }

    /// <summary>Which of the case's outputs; null where the case could not be run at all.</summary>
    public string? Output { get; init; }

    /// <summary>Whether everything agrees.</summary>
    public required bool Ok { get; init; }

    /// <summary>Largest |ours - reference| of a tensor; null where a number is not finite or shapes differ.</summary>
    public double? MaxAbs { get; init; }

    /// <summary>Largest |ours - reference| / |reference| where the reference is not 0; null as <see cref="MaxAbs"/>.</summary>
    public double? MaxRel { get; init; }

    /// <summary>Texts that were compared.</summary>
    public int? Texts { get; init; }

    /// <summary>Texts that differ.</summary>
    public int? Differences { get; init; }

    /// <summary>Tensors that the network needs and the list or file lacks.</summary>
    public int? Missing { get; init; }

    /// <summary>Tensors that the list or file has and the network does not.</summary>
    public int? Unexpected { get; init; }

    /// <summary>Tensors whose shapes differ.</summary>
    public int? Shapes { get; init; }

    /// <summary>The first place that differs, with both values.</summary>
    public string? Where { get; init; }

    /// <summary>Why the case could not be run, in one sentence.</summary>
    public string? Error { get; init; }

    /// <summary>One line for people: fixture, case, output and what is wrong with it, or how close it is.</summary>
    public override string ToString()
    {
        var name = string.Join(" / ", new[] { Fixture, Id, Output }.Where(part => part is not null));
        if (Error is not null) return $"{name}: {Error}";
        var size = MaxAbs is { } abs ? FormattableString.Invariant($"largest difference {abs:G3}, relative {MaxRel:G3}")
            : Texts is { } texts ? $"{Differences} of {texts} texts differ"
            : Missing is { } missing ? $"{missing} missing, {Unexpected} unexpected, {Shapes} of another shape"
            : Ok ? "agrees" : "differs";
        return Where is null ? $"{name}: {size}" : $"{name}: {size}; {Where}";
    }
}

/// <summary>What <see cref="Verifier"/> found.</summary>
public sealed record VerificationReport
{
    /// <summary>Whether every case agrees.</summary>
    public bool Ok => Cases.Count > 0 && Cases.All(c => c.Ok);

    /// <summary>The first case that does not agree, in words; null when all do.</summary>
    public string? First => Cases.FirstOrDefault(c => !c.Ok)?.ToString();

    /// <summary>All cases, in the order in which they were run: the first that differs is the stage where two programs part.</summary>
    public required IReadOnlyList<VerificationCase> Cases { get; init; }

    /// <summary>The report as one JSON object, absent fields left out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, JsonForms.Sparse);
}
