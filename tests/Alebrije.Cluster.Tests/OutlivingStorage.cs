using System.Collections.Concurrent;
using Orleans.Runtime;
using Orleans.Storage;

namespace Alebrije.Cluster.Tests;

/// <summary>State of grains outside the silos, as in a database; Orleans' memory storage ends with the silo that holds it.</summary>
internal sealed class OutlivingStorage : IGrainStorage
{
    private readonly ConcurrentDictionary<(string Name, GrainId Id), (object State, string ETag)> states = new();

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        grainState.RecordExists = states.TryGetValue((stateName, grainId), out var stored);
        if (grainState.RecordExists) (grainState.State, grainState.ETag) = ((T)stored.State, stored.ETag);
        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var stored = states.TryGetValue((stateName, grainId), out var entry) ? entry.ETag : null;
        if (stored != grainState.ETag) throw new InconsistentStateException($"{stateName} of {grainId}", stored, grainState.ETag);
        (grainState.ETag, grainState.RecordExists) = (Guid.NewGuid().ToString(), true);
        states[(stateName, grainId)] = (grainState.State!, grainState.ETag);
        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        states.TryRemove((stateName, grainId), out _);
        (grainState.ETag, grainState.RecordExists) = (null!, false);
        return Task.CompletedTask;
    }
}
