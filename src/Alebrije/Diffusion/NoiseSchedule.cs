using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// The forward process q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I) (Ho et al., 2020, eq. 4) as tables over the training timesteps,
/// in float32 as in the reference, with the targets and weights of training. Immutable.
/// </summary>
internal sealed class NoiseSchedule
{
    private readonly float[] betas, alphasCumprod;

    private NoiseSchedule(float[] betas, float[] alphasCumprod) => (this.betas, this.alphasCumprod) = (betas, alphasCumprod);

    /// <summary>Number of training timesteps T.</summary>
    public int Length => betas.Length;

    /// <summary>beta_t for t in [0, T).</summary>
    public IReadOnlyList<float> Betas => betas;

    /// <summary>abar_t, the running product of 1 - beta, strictly decreasing in (0, 1] (0 at the end with zero terminal SNR).</summary>
    public IReadOnlyList<float> AlphasCumprod => alphasCumprod;

    /// <summary>Builds the tables of a configuration.</summary>
    /// <param name="config">Uses beta_schedule, beta_start, beta_end, trained_betas and rescale_betas_zero_snr.</param>
    /// <param name="finiteSigmas">
    /// Samplers over sigma = sqrt((1 - abar) / abar) replace a last abar of 0 (zero terminal SNR) by 2^-24.
    /// </param>
    /// <exception cref="NotSupportedException">The beta schedule is unknown.</exception>
    public static NoiseSchedule From(SchedulerConfig config, bool finiteSigmas = false)
    {
        using var scope = NewDisposeScope();
        var betas = BetasOf(config);
        if (config.RescaleBetasZeroSnr) betas = WithZeroTerminalSnr(betas);
        var alphasCumprod = (1 - betas).cumprod(0).data<float>().ToArray();
        if (config.RescaleBetasZeroSnr && finiteSigmas) alphasCumprod[^1] = MathF.Pow(2, -24);
        return new NoiseSchedule(betas.data<float>().ToArray(), alphasCumprod);
    }

    /// <summary>abar_t.</summary>
    /// <exception cref="ArgumentOutOfRangeException">t is not in [0, T).</exception>
    public float AlphaBar(int t) => (uint)t < (uint)alphasCumprod.Length ? alphasCumprod[t]
        : throw new ArgumentOutOfRangeException(
            nameof(t), $"Timestep {t} lies outside the schedule's 0..{Length - 1}: use fewer steps or a smaller steps_offset.");

    /// <summary>sigma_t = sqrt((1 - abar_t) / abar_t) for all t, ascending (Karras et al., 2022, table 1, VP).</summary>
    public float[] Sigmas() => Array.ConvertAll(alphasCumprod, alphaBar => MathF.Sqrt((1 - alphaBar) / alphaBar));

    /// <summary>x_t of the forward process (Ho et al., 2020, eq. 4).</summary>
    /// <param name="original">[batch, ...] x0.</param>
    /// <param name="noise">[batch, ...] standard normal.</param>
    /// <param name="timesteps">[batch] int64 in [0, T); one entry serves the whole batch.</param>
    public Tensor AddNoise(Tensor original, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var (alpha, sigma) = Coefficients(timesteps, original);
        return (alpha * original + sigma * noise).MoveToOuterDisposeScope();
    }

    /// <summary>x_t of the forward process, one timestep for the whole batch.</summary>
    public Tensor AddNoise(Tensor original, Tensor noise, int timestep)
    {
        var alphaBar = AlphaBar(timestep);
        using var scope = NewDisposeScope();
        return (MathF.Sqrt(alphaBar) * original + MathF.Sqrt(1 - alphaBar) * noise).MoveToOuterDisposeScope();
    }

    /// <summary>Training target for x_t: the noise, x0, or v (Salimans and Ho, 2022, appendix D).</summary>
    /// <returns>[batch, ...]</returns>
    public Tensor Target(PredictionType type, Tensor original, Tensor noise, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var (alpha, sigma) = Coefficients(timesteps, original);
        var target = type switch
        {
            PredictionType.Epsilon => noise.alias(),
            PredictionType.Sample => original.alias(),
            _ => alpha * noise - sigma * original,
        };
        return target.MoveToOuterDisposeScope();
    }

    /// <summary>Computes x0 from a network's output at timesteps that differ within the batch.</summary>
    /// <param name="type">Type of the network's prediction.</param>
    /// <param name="output">[batch, ...] its output.</param>
    /// <param name="x">[batch, ...] x_t.</param>
    /// <param name="timesteps">[batch] int64.</param>
    public Tensor Original(PredictionType type, Tensor output, Tensor x, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var (alpha, sigma) = Coefficients(timesteps, x);
        var original = type switch
        {
            PredictionType.Epsilon => (x - sigma * output) / alpha,
            PredictionType.Sample => output.alias(),
            _ => alpha * x - sigma * output,
        };
        return original.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Weights of the squared error per sample that make it min(SNR, gamma) times the error in x0 (min-SNR-gamma; Hang et al., 2023,
    /// §3.4), with SNR = abar / (1 - abar).
    /// </summary>
    /// <param name="type">Type of the network's prediction.</param>
    /// <param name="timesteps">[batch] int64.</param>
    /// <param name="gamma">Upper bound of the SNR, 5 in the paper.</param>
    /// <returns>[batch]</returns>
    public Tensor MinSnrWeights(PredictionType type, Tensor timesteps, double gamma = 5)
    {
        using var scope = NewDisposeScope();
        var alphaBar = Gather(timesteps);
        var snr = alphaBar / (1 - alphaBar);
        var bounded = snr.clamp_max(gamma);
        var weights = type switch
        {
            // min(1, gamma / snr) is finite at zero terminal SNR.
            PredictionType.Epsilon => (gamma / snr).clamp_max(1),
            PredictionType.Sample => bounded,
            _ => bounded / (snr + 1),
        };
        return weights.MoveToOuterDisposeScope();
    }

    private (Tensor Alpha, Tensor Sigma) Coefficients(Tensor timesteps, Tensor like)
    {
        var alphaBar = Gather(timesteps).to(like.device);
        long[] shape = [alphaBar.shape[0], .. Enumerable.Repeat(1L, (int)like.dim() - 1)];
        return (alphaBar.sqrt().reshape(shape).to(like.dtype), (1 - alphaBar).sqrt().reshape(shape).to(like.dtype));
    }

    private Tensor Gather(Tensor timesteps)
    {
        var indices = timesteps.cpu().to(ScalarType.Int64).flatten();
        var (least, most) = (indices.min().item<long>(), indices.max().item<long>());
        if (least < 0 || most >= Length)
            throw new ArgumentOutOfRangeException(
                nameof(timesteps), $"Timesteps {least}..{most} do not all lie in the schedule's 0..{Length - 1}.");
        return tensor(alphasCumprod).index_select(0, indices).to(timesteps.device);
    }

    private static Tensor BetasOf(SchedulerConfig config)
    {
        if (config.TrainedBetas is { } trained) return tensor(trained.ToArray());
        var (start, end, steps) = (config.BetaStart, config.BetaEnd, config.TrainTimesteps);
        if (config.BetaSchedule is "linear" or "scaled_linear" && !(start is >= 0 and <= 1 && end is >= 0 and <= 1))
            throw new ArgumentException(FormattableString.Invariant(
                $"\"beta_start\" is {start} and \"beta_end\" {end}; both are numbers from 0 to 1."));
        return config.BetaSchedule switch
        {
            "linear" => linspace(start, end, steps, ScalarType.Float32),
            "scaled_linear" => linspace(Math.Sqrt(start), Math.Sqrt(end), steps, ScalarType.Float32).pow(2),
            "squaredcos_cap_v2" => tensor(CosineBetas(steps)),
            "sigmoid" => linspace(-6, 6, steps, ScalarType.Float32).sigmoid() * (end - start) + start,
            _ => throw config.Unsupported(
                "beta_schedule", config.BetaSchedule, "linear, scaled_linear, squaredcos_cap_v2, sigmoid, or trained_betas"),
        };
    }

    /// <summary>
    /// beta_t = min(1 - abar(t + 1) / abar(t), 0.999) with a cosine abar (Nichol and Dhariwal, 2021, eq. 17), in double, then float32.
    /// </summary>
    private static float[] CosineBetas(int steps)
    {
        static double AlphaBarAt(double t) => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2);
        return [.. Enumerable.Range(0, steps)
            .Select(i => (float)Math.Min(1 - (AlphaBarAt((i + 1.0) / steps) / AlphaBarAt((double)i / steps)), 0.999))];
    }

    /// <summary>
    /// Shifts and scales sqrt(abar) so that its last value is 0 and its first is unchanged (Lin et al., 2023, algorithm 1).
    /// </summary>
    private static Tensor WithZeroTerminalSnr(Tensor betas)
    {
        var root = (1 - betas).cumprod(0).sqrt();
        var (first, last) = (root[0].clone(), root[-1].clone());
        var alphaBar = ((root - last) * (first / (first - last))).pow(2);
        var alphas = cat([alphaBar[..1], alphaBar[1..] / alphaBar[..^1]]);
        return 1 - alphas;
    }
}
