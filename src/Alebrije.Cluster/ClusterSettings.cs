using System.Net;

namespace Alebrije.Cluster;

/// <summary>Settings of a node.</summary>
public sealed record ClusterSettings
{
    /// <summary>HOST:PORT of the store, Garnet or Redis; null for a cluster of this process alone, whose state is in memory.</summary>
    public string? Store { get; init; }

    /// <summary>Name of the cluster: several share a store.</summary>
    public string Name { get; init; } = "alebrije";

    /// <summary>
    /// Address at which the other nodes reach this one, loopback unless given. Nodes trust all that connect: another address belongs
    /// into a closed network.
    /// </summary>
    public IPAddress Host { get; init; } = IPAddress.Loopback;

    /// <summary>Port of this node for other nodes; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>Port of this node for clients; 0 for a free one.</summary>
    public int ClientPort { get; init; }

    /// <summary>Folders of index shards on this machine, by the name of their collection.</summary>
    public IReadOnlyDictionary<string, string> Indexes { get; init; } = new Dictionary<string, string>();
}
