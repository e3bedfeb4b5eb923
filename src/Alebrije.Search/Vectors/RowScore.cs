namespace Alebrije.Search.Vectors;

/// <summary>Score of stored rows for one query; a higher score is nearer. Thread-safe.</summary>
internal abstract unsafe class RowScore
{
    /// <summary>The score of a row, whose bytes behind the width up to a whole line are zero.</summary>
    public abstract float Of(byte* row);
}
