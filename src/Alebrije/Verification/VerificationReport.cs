using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Verification;

/// <summary>Result of one comparison: a tensor, a kind of text field, the tensors of a network, or a file.</summary>
public sealed record VerificationCase
{
    /// <summary>The fixture, relative to the verified folder; null if that folder is the fixture.</summary>
    public string? Fixture { get; init; }

    /// <summary>The case: a name from <c>cases.json</c>, <c>text</c>, a model of a census, or a component of a checkpoint.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the case's output; null if the case could not be run.</summary>
    public string? Output { get; init; }

    /// <summary>True if everything agrees.</summary>
    public required bool Ok { get; init; }

    /// <summary>Largest |ours - reference| of a tensor; null if a value is not finite or shapes differ.</summary>
    public double? MaxAbs { get; init; }

    /// <summary>Largest |ours - reference| / |reference| where the reference is not 0; null if <see cref="MaxAbs"/> is.</summary>
    public double? MaxRel { get; init; }

    /// <summary>Number of texts compared.</summary>
    public int? Texts { get; init; }

    /// <summary>Number of texts that differ.</summary>
    public int? Differences { get; init; }

    /// <summary>Tensors of the network that the list or file lacks.</summary>
    public int? Missing { get; init; }

    /// <summary>Tensors of the list or file that the network lacks.</summary>
    public int? Unexpected { get; init; }

    /// <summary>Tensors whose shapes differ.</summary>
    public int? Shapes { get; init; }

    /// <summary>First position that differs, with both values.</summary>
    public string? Where { get; init; }

    /// <summary>Reason for not running the case, in one sentence.</summary>
    public string? Error { get; init; }

    /// <summary>One line for display: fixture, case, output, and the failure or the largest differences.</summary>
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

/// <summary>Result of <see cref="Verifier"/>.</summary>
public sealed record VerificationReport
{
    /// <summary>True if there are cases and all agree.</summary>
    public bool Ok => Cases.Count > 0 && Cases.All(c => c.Ok);

    /// <summary>Description of the first case that fails; null if all agree.</summary>
    public string? First => Cases.FirstOrDefault(c => !c.Ok)?.ToString();

    /// <summary>All cases in order of execution: the first that fails is the first stage that differs.</summary>
    public required IReadOnlyList<VerificationCase> Cases { get; init; }

    /// <summary>The report as one JSON object, without absent fields.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, JsonForms.Sparse);
}
