using System.Numerics.Tensors;

namespace Alebrije.Embeddings;

/// <summary>Checks and sums over rows of embeddings that every analysis needs.</summary>
internal static class Vectors
{
    /// <summary>Width shared by all rows.</summary>
    /// <exception cref="ArgumentException">No rows, an empty row, rows of different widths, or a value that is not finite.</exception>
    public static int Width(IReadOnlyList<float[]> rows, string what)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0) throw new ArgumentException($"There are no {what}; at least one is needed.");
        var width = rows[0].Length;
        if (width == 0) throw new ArgumentException($"The first of the {what} has no numbers; an embedding has at least one.");
        for (var i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length != width)
                throw new ArgumentException(
                    $"Row {i} of the {what} has {rows[i].Length} numbers, row 0 "
                        + $"has {width}: only embeddings of one model can be compared.");
            foreach (var value in rows[i])
                if (!float.IsFinite(value))
                    throw new ArgumentException($"Row {i} of the {what} holds {value}, which is not a finite number: embed it again.");
        }

        return width;
    }

    /// <summary>Refuses two sets of different widths.</summary>
    public static void SameWidth(int first, string firstName, int second, string secondName)
    {
        if (first != second)
            throw new ArgumentException(
                $"The {firstName} have {first} numbers each, the {secondName} {second}: only embeddings of one model can be compared.");
    }

    /// <summary>Cosine of the angle between two rows, in [-1, 1], summed in double precision; 0 where a row is all zeros.</summary>
    public static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return aa == 0 || bb == 0 ? 0 : Math.Clamp(dot / Math.Sqrt(aa * bb), -1, 1);
    }

    /// <summary>Mean row, in double precision.</summary>
    public static double[] Mean(IReadOnlyList<float[]> rows)
    {
        var mean = new double[rows[0].Length];
        foreach (var row in rows)
            for (var j = 0; j < mean.Length; j++) mean[j] += row[j];
        TensorPrimitives.Divide(mean, rows.Count, mean);
        return mean;
    }
}
