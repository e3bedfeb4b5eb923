using Alebrije.Diffusion;

namespace Alebrije.Training;

/// <summary>Schedules of the embedded default: texts of its scheduler_config.json files, and the parsed configurations.</summary>
internal static class MiniSchedulers
{
    /// <summary>
    /// Prior: x0 prediction on a cosine schedule. DDPM, since the reference's Stable unCLIP pipeline steps UnCLIPScheduler from t to t - 1
    /// only, so that its samples collapse to the mean.
    /// </summary>
    public const string PriorText = """
        {
          "_class_name": "DDPMScheduler",
          "beta_schedule": "squaredcos_cap_v2",
          "clip_sample": true,
          "clip_sample_range": 5.0,
          "num_train_timesteps": 1000,
          "prediction_type": "sample",
          "timestep_spacing": "trailing",
          "variance_type": "fixed_small_log"
        }
        """;

    /// <summary>Noise on the image embedding.</summary>
    public const string ImageNoisingText = """
        {
          "_class_name": "DDPMScheduler",
          "beta_schedule": "squaredcos_cap_v2",
          "num_train_timesteps": 1000
        }
        """;

    /// <summary>Decoder: v prediction down to pure noise (Lin et al., 2023), so that plain backgrounds can have any brightness.</summary>
    public const string DecoderText = """
        {
          "_class_name": "DDIMScheduler",
          "beta_end": 0.012,
          "beta_schedule": "scaled_linear",
          "beta_start": 0.00085,
          "clip_sample": false,
          "num_train_timesteps": 1000,
          "prediction_type": "v_prediction",
          "rescale_betas_zero_snr": true,
          "set_alpha_to_one": true,
          "timestep_spacing": "trailing"
        }
        """;

    /// <summary>
    /// Upsampler: Karlo's sampler with x0 prediction: short sampling runs start with a prediction from pure noise, where an error in
    /// predicted noise is divided by almost 0.
    /// </summary>
    public const string UpsamplerText = """
        {
          "_class_name": "UnCLIPScheduler",
          "beta_schedule": "squaredcos_cap_v2",
          "clip_sample": true,
          "clip_sample_range": 1.0,
          "num_train_timesteps": 1000,
          "prediction_type": "sample",
          "variance_type": "fixed_small_log"
        }
        """;

    /// <summary>First stage of the cascade: v prediction with IF's dynamic thresholding.</summary>
    public const string CascadeText = """
        {
          "_class_name": "DDPMScheduler",
          "beta_schedule": "squaredcos_cap_v2",
          "clip_sample": false,
          "dynamic_thresholding_ratio": 0.95,
          "num_train_timesteps": 1000,
          "prediction_type": "v_prediction",
          "sample_max_value": 1.5,
          "thresholding": true,
          "timestep_spacing": "trailing",
          "variance_type": "fixed_small_log"
        }
        """;

    /// <summary>Second stage of the cascade: x0 prediction, for few steps from pure noise on.</summary>
    public const string CascadeLaterText = """
        {
          "_class_name": "DDPMScheduler",
          "beta_schedule": "squaredcos_cap_v2",
          "clip_sample": true,
          "clip_sample_range": 1.0,
          "num_train_timesteps": 1000,
          "prediction_type": "sample",
          "timestep_spacing": "trailing",
          "variance_type": "fixed_small_log"
        }
        """;

    /// <inheritdoc cref="PriorText"/>
    public static SchedulerConfig Prior { get; } = SchedulerConfig.Parse(PriorText);

    /// <inheritdoc cref="ImageNoisingText"/>
    public static SchedulerConfig ImageNoising { get; } = SchedulerConfig.Parse(ImageNoisingText);

    /// <inheritdoc cref="DecoderText"/>
    public static SchedulerConfig Decoder { get; } = SchedulerConfig.Parse(DecoderText);

    /// <inheritdoc cref="CascadeText"/>
    public static SchedulerConfig Cascade { get; } = SchedulerConfig.Parse(CascadeText);

    /// <inheritdoc cref="CascadeLaterText"/>
    public static SchedulerConfig CascadeLater { get; } = SchedulerConfig.Parse(CascadeLaterText);

    /// <inheritdoc cref="UpsamplerText"/>
    public static SchedulerConfig Upsampler { get; } = SchedulerConfig.Parse(UpsamplerText);
}
