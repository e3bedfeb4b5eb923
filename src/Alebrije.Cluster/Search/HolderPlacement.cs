using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Runtime.Placement;

namespace Alebrije.Cluster.Search;

/// <summary>Places a grain on the silos that hold its index shard.</summary>
internal sealed class HolderFilter() : PlacementFilterStrategy(0);

/// <inheritdoc cref="HolderFilter"/>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class OnHolderAttribute() : PlacementFilterAttribute(new HolderFilter());

/// <inheritdoc cref="HolderFilter"/>
internal sealed class HolderDirector(ISiloMetadataCache cache) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(
        PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        var (collection, part) = IndexShardGrain.Split(target.GrainIdentity.Key.ToString()!);
        return silos.Where(silo => HeldIndexes.Holds(cache.GetSiloMetadata(silo).Metadata, collection, part));
    }
}
