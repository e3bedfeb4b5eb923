using System.Diagnostics.CodeAnalysis;
using Alebrije.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Image generators as services, and all of a model at once.</summary>
[Experimental("MEAI001")]
public static class AlebrijeServices
{
    /// <summary>Adds <see cref="AlebrijeImageGenerator"/> as a singleton, and as the <c>IImageGenerator</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options; without it the default model is used. They are validated when the host starts or at the
    /// first use.</param>
    public static IServiceCollection AddAlebrijeImages(this IServiceCollection services, Action<ImageGeneratorOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<ImageGeneratorOptions>().ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ImageGeneratorOptions>, ImageGeneratorOptionsValidation>());
        services.AddSingleton(provider =>
            new AlebrijeImageGenerator(provider.GetRequiredService<IOptionsMonitor<ImageGeneratorOptions>>().CurrentValue));
        return services.AddSingleton<IImageGenerator>(provider => provider.GetRequiredService<AlebrijeImageGenerator>());
    }

    /// <summary>Adds one model as <c>IImageGenerator</c> and, through its CLIP, as <c>IEmbeddingGenerator</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="model">Name of the model, or the path of its folder; null: the default model.</param>
    public static IServiceCollection AddAlebrije(this IServiceCollection services, string? model = null) => services
        .AddAlebrijeClip(options => options.Model = model ?? options.Model)
        .AddAlebrijeImages(options => options.Model = model ?? options.Model);
}
