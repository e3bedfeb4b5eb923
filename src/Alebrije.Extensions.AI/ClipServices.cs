using Alebrije.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>
/// CLIP as services: <c>IEmbeddingGenerator</c> of texts, of images and of both, over one model that is loaded at the first use.
/// </summary>
public static class ClipServices
{
    /// <summary>
    /// Adds <see cref="ClipEmbeddingGenerator"/> as a singleton, and as the <c>IEmbeddingGenerator</c> of string, DataContent and
    /// AIContent.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options; without it the default model is used. They are validated when the host starts or at the
    /// first use.</param>
    public static IServiceCollection AddAlebrijeClip(this IServiceCollection services, Action<ClipOptions>? configure = null)
    {
        AddOptions(services, Options.Options.DefaultName, configure);
        services.AddSingleton(provider =>
            new ClipEmbeddingGenerator(provider.GetRequiredService<IOptionsMonitor<ClipOptions>>().Get(Options.Options.DefaultName)));
        services.AddSingleton<IEmbeddingGenerator<string,
            Embedding<float>>>(provider => provider.GetRequiredService<ClipEmbeddingGenerator>());
        services.AddSingleton<IEmbeddingGenerator<DataContent,
            Embedding<float>>>(provider => provider.GetRequiredService<ClipEmbeddingGenerator>());
        services.AddSingleton<IEmbeddingGenerator<AIContent,
            Embedding<float>>>(provider => provider.GetRequiredService<ClipEmbeddingGenerator>());
        return services;
    }

    /// <summary>The same under a key, for several models side by side.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">Key of the services and name of the options.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedAlebrijeClip(this IServiceCollection services,
        string key, Action<ClipOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        AddOptions(services, key, configure);
        services.AddKeyedSingleton(key, (provider, _) =>
            new ClipEmbeddingGenerator(provider.GetRequiredService<IOptionsMonitor<ClipOptions>>().Get(key)));
        services.AddKeyedSingleton<IEmbeddingGenerator<string,
            Embedding<float>>>(key, (provider, _) => provider.GetRequiredKeyedService<ClipEmbeddingGenerator>(key));
        services.AddKeyedSingleton<IEmbeddingGenerator<DataContent,
            Embedding<float>>>(key, (provider, _) => provider.GetRequiredKeyedService<ClipEmbeddingGenerator>(key));
        services.AddKeyedSingleton<IEmbeddingGenerator<AIContent,
            Embedding<float>>>(key, (provider, _) => provider.GetRequiredKeyedService<ClipEmbeddingGenerator>(key));
        return services;
    }

    private static void AddOptions(IServiceCollection services, string name, Action<ClipOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<ClipOptions>(name).ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ClipOptions>, ClipOptionsValidation>());
    }
}
