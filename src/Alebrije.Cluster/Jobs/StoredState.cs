using Orleans.Runtime;

namespace Alebrije.Cluster.Jobs;

/// <summary>Writing of a grain's state.</summary>
internal static class StoredState
{
    /// <summary>Writes the state; where that fails, the memory is ahead of the store, and the grain is given up.</summary>
    /// <param name="stored">The state.</param>
    /// <param name="grain">Its grain.</param>
    public static async Task SaveAsync<T>(this IPersistentState<T> stored, IGrainBase grain)
    {
        try
        {
            await stored.WriteStateAsync();
        }
        catch
        {
            grain.DeactivateOnIdle();
            throw;
        }
    }
}
