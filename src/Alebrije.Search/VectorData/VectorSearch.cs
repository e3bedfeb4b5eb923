using Microsoft.Extensions.VectorData.ProviderServices;

namespace Alebrije.Search.VectorData;

/// <summary>A search of a collection.</summary>
/// <param name="Property">The vector property.</param>
/// <param name="Query">[dimensions].</param>
/// <param name="Top">Results at most, after those that are skipped.</param>
/// <param name="Skip">Best results to leave out.</param>
/// <param name="Threshold">Worst score of a result, or null.</param>
/// <param name="IsFiltered">True if there is a condition on the records.</param>
/// <param name="Condition">SQL; TRUE without a filter.</param>
/// <param name="Parameters">Values of its parameters.</param>
/// <param name="WithVectors">True if records are read with their vectors.</param>
internal sealed record VectorSearch(VectorPropertyModel Property, ReadOnlyMemory<float> Query, int Top, int Skip, double? Threshold,
    bool IsFiltered, string Condition, IReadOnlyList<object?> Parameters, bool WithVectors);
