using System.Globalization;
using static TorchSharp.torch;

namespace Alebrije.Verification;

/// <summary>Compares tensors by the fixtures' rule: |ours - reference| ≤ atol + rtol · |reference|, both rounded to float32.</summary>
internal static class TensorComparison
{
    /// <summary>Compares two tensors; NaN never agrees, and an infinity agrees only with itself.</summary>
    /// <param name="result">Template with the names of case and output.</param>
    /// <param name="ours">The computed tensor.</param>
    /// <param name="reference">The expected tensor.</param>
    /// <param name="tolerance">Absolute and relative tolerance.</param>
    public static VerificationCase Compare(VerificationCase result, Tensor ours, Tensor reference, Tolerance tolerance)
    {
        if (!ours.shape.AsSpan().SequenceEqual(reference.shape))
            return result with { Ok = false, Where = $"its shape is {Shape(ours)} and should be {Shape(reference)}" };
        if (reference.numel() == 0) return result with { Ok = true, MaxAbs = 0, MaxRel = 0 };

        using var scope = NewDisposeScope();
        var (mine, theirs) = (Flat(ours), Flat(reference));
        var difference = (mine - theirs).abs().where(mine.eq(theirs).logical_not(), zeros_like(mine));
        var size = theirs.abs();
        var within = difference.le(tolerance.Absolute + (tolerance.Relative * size)).logical_and(difference.isfinite());
        var relative = (difference / size).where(size.gt(0), zeros_like(size));
        result = result with { Ok = within.all().item<bool>(), MaxAbs = Finite(difference.max()), MaxRel = Finite(relative.max()) };
        if (result.Ok) return result;

        var first = within.to(ScalarType.Int32).argmin().item<long>();
        return result with
        {
            Where = string.Create(CultureInfo.InvariantCulture,
                $"first at {Place(first, reference.shape)}: {mine[first].item<double>():R} and should be "
                    + $"{theirs[first].item<double>():R}; {within.logical_not().sum().item<long>()} of {reference.numel()} numbers differ"),
        };
    }

    private static Tensor Flat(Tensor x)
    {
        var local = x.detach().cpu().reshape(-1);
        return (local.is_floating_point() ? local.to(ScalarType.Float32) : local).to(ScalarType.Float64);
    }

    private static double? Finite(Tensor value) => value.item<double>() is var number && double.IsFinite(number) ? number : null;

    private static string Shape(Tensor x) => $"[{string.Join(", ", x.shape)}]";

    private static string Place(long index, long[] shape)
    {
        var place = new long[shape.Length];
        for (var axis = shape.Length - 1; axis >= 0; axis--) (index, place[axis]) = (index / shape[axis], index % shape[axis]);
        return $"[{string.Join(", ", place)}]";
    }
}
