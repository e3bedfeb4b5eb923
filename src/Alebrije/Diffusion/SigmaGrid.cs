namespace Alebrije.Diffusion;

/// <summary>Noise levels of a run, sigma = sqrt((1 - abar) / abar), and their timesteps.</summary>
internal static class SigmaGrid
{
    /// <summary>
    /// Timesteps and sigmas (one more: the final noise level) of the Euler family (diffusers/schedulers/scheduling_euler_discrete.py).
    /// </summary>
    public static (float[] Timesteps, float[] Sigmas) Continuous(SchedulerConfig config, NoiseSchedule schedule, int steps)
    {
        var table = schedule.Sigmas();
        var timesteps = TimestepGrid.Spaced(config, steps, whole: false);
        var sigmas = config.InterpolationType switch
        {
            "linear" => Interpolate(timesteps, table),
            "log_linear" => Exponential(table[0], table[^1], steps + 1),
            _ => throw config.Unsupported("interpolation_type", config.InterpolationType, "linear, log_linear"),
        };
        if (Respaced(config, config.SigmaMin ?? sigmas[^1], config.SigmaMax ?? sigmas[0], steps) is { } respaced)
            (sigmas, timesteps) = (respaced, [.. TimestepsOf(respaced, table).Select(t => (float)t)]);
        float[] all = [.. sigmas.Select(sigma => (float)sigma), Last(config, table)];

        // Scaling of Karras et al. (2022), table 1 (EDM), used by video models.
        if (config.TimestepType == "continuous" && config.PredictionType == PredictionType.VPrediction)
            timesteps = [.. all.SkipLast(1).Select(sigma => 0.25f * MathF.Log(sigma))];
        return (timesteps, all);
    }

    /// <summary>
    /// Integer timesteps and their sigmas, of DPM-Solver and UniPC (diffusers/schedulers/scheduling_dpmsolver_multistep.py).
    /// </summary>
    public static (float[] Timesteps, float[] Sigmas) Whole(SchedulerConfig config, NoiseSchedule schedule, int steps)
    {
        if (config.UseFlowSigmas) throw config.Unsupported("use_flow_sigmas", true, "false");
        TimestepGrid.Check(config, steps);
        var table = schedule.Sigmas();
        var length = LengthAbove(config.LambdaMinClipped, schedule);
        var timesteps = config.TimestepSpacing switch
        {
            "linspace" => [.. TimestepGrid.Linspace(0, length - 1, steps + 1).Skip(1).Select(t => (float)Math.Round(t)).Reverse()],
            "leading" => [.. Enumerable.Range(1, steps).Reverse().Select(i => (float)((i * (length / (steps + 1))) + config.StepsOffset))],
            "trailing" => TimestepGrid.Trailing(length, (double)config.TrainTimesteps / steps),
            _ => throw config.Unsupported("timestep_spacing", config.TimestepSpacing, "leading, linspace, trailing"),
        };
        var sigmas = Interpolate(timesteps, table);
        if (Respaced(config, table[0], table[^1], steps) is { } respaced)
        {
            // The reference rounds Karras's and Lu's timesteps except for cosine schedules, and truncates the others.
            var rounded = (config.UseKarrasSigmas || config.UseLuLambdas) && config.BetaSchedule != "squaredcos_cap_v2";
            sigmas = respaced;
            timesteps = [.. TimestepsOf(respaced, table).Select(t => (float)(rounded ? Math.Round(t) : Math.Truncate(t)))];
        }

        return (timesteps, [.. sigmas.Select(sigma => (float)sigma), Last(config, table)]);
    }

    /// <summary>Interpolates a table linearly at fractional positions; beyond its ends, the end values.</summary>
    public static double[] Interpolate(IReadOnlyList<float> places, float[] table) => [.. places.Select(place =>
    {
        var low = (int)Math.Clamp(Math.Floor(place), 0, table.Length - 1);
        var high = Math.Min(low + 1, table.Length - 1);
        return table[low] + (((double)table[high] - table[low]) * Math.Clamp(place - low, 0, 1));
    })];

    /// <summary>Karras et al. (2022), eq. 5, rho = 7.</summary>
    public static double[] Karras(double least, double most, int steps)
    {
        const double rho = 7;
        var (from, to) = (Math.Pow(most, 1 / rho), Math.Pow(least, 1 / rho));
        return [.. TimestepGrid.Linspace(0, 1, steps).Select(ramp => Math.Pow(from + (ramp * (to - from)), rho))];
    }

    /// <summary>Sigmas evenly spaced in log sigma.</summary>
    public static double[] Exponential(double least, double most, int steps) =>
        [.. TimestepGrid.Linspace(Math.Log(most), Math.Log(least), steps).Select(Math.Exp)];

    /// <summary>Quantiles of Beta(0.6, 0.6) (Lee et al., 2024, "Beta Sampling is All You Need").</summary>
    public static double[] Beta(double least, double most, int steps) =>
        [.. TimestepGrid.Linspace(0, 1, steps).Select(ramp => least + (BetaDistribution.Quantile(1 - ramp, 0.6) * (most - least)))];

    /// <summary>Fractional timesteps whose log sigma, linearly interpolated, is that of the given sigmas.</summary>
    public static double[] TimestepsOf(IReadOnlyList<double> sigmas, float[] table)
    {
        var logs = Array.ConvertAll(table, MathF.Log);
        return [.. sigmas.Select(sigma =>
        {
            var log = Math.Log(Math.Max(sigma, 1e-10));
            var low = Math.Clamp(Array.FindLastIndex(logs, entry => log - entry >= 0), 0, logs.Length - 2);
            var share = Math.Clamp((logs[low] - log) / (logs[low] - logs[low + 1]), 0, 1);
            return ((1 - share) * low) + (share * (low + 1));
        })];
    }

    private static double[]? Respaced(SchedulerConfig config, double least, double most, int steps) =>
        config.UseKarrasSigmas ? Karras(least, most, steps)
        : config.UseExponentialSigmas || config.UseLuLambdas ? Exponential(least, most, steps)
        : config.UseBetaSigmas ? Beta(least, most, steps)
        : null;

    private static float Last(SchedulerConfig config, float[] table) => config.FinalSigmasType switch
    {
        "zero" => 0,
        "sigma_min" => table[0],
        _ => throw config.Unsupported("final_sigmas_type", config.FinalSigmasType, "zero, sigma_min"),
    };

    /// <summary>
    /// Number of timesteps with lambda = log(alpha / sigma) of at least the bound, required at the end of cosine schedules.
    /// </summary>
    private static int LengthAbove(double least, NoiseSchedule schedule) => schedule.AlphasCumprod
        .Count(alphaBar => MathF.Log(MathF.Sqrt(alphaBar)) - MathF.Log(MathF.Sqrt(1 - alphaBar)) >= least);
}

/// <summary>The symmetric beta distribution Beta(a, a).</summary>
internal static class BetaDistribution
{
    /// <summary>The x in [0, 1] with cumulative probability p.</summary>
    public static double Quantile(double p, double a)
    {
        if (p is <= 0 or >= 1) return Math.Clamp(p, 0, 1);
        var (low, high) = (0.0, 1.0);
        while (high - low > 1e-15 * high)
        {
            var middle = low + ((high - low) / 2);
            if (middle == low || middle == high) break;
            if (Cumulative(middle, a) < p) low = middle;
            else high = middle;
        }

        return low + ((high - low) / 2);
    }

    /// <summary>The regularised incomplete beta function I_x(a, a), by its continued fraction (DLMF 8.17.22).</summary>
    public static double Cumulative(double x, double a)
    {
        if (x <= 0) return 0;
        if (x > 0.5) return 1 - Cumulative(1 - x, a);
        var front = Math.Exp(LogGamma(2 * a) - (2 * LogGamma(a)) + (a * Math.Log(x)) + (a * Math.Log(1 - x))) / a;
        var (fraction, c, d) = (1.0, 1.0, 0.0);
        for (var i = 0; i < 500; i++)
        {
            var m = i / 2;
            var term = i == 0 ? 1
                : i % 2 == 0 ? m * (a - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)))
                : -(a + m) * ((2 * a) + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / (1 + (term * d));
            c = 1 + (term / c);
            fraction *= c * d;
            if (i > 0 && Math.Abs(1 - (c * d)) < 1e-16) break;
        }

        return front * (fraction - 1);
    }

    /// <summary>log of the gamma function for x &gt; 0: Stirling's series (DLMF 5.11.1) after moving x above 12.</summary>
    private static double LogGamma(double x)
    {
        var shift = 0.0;
        for (; x < 12; x++) shift -= Math.Log(x);
        var square = 1 / (x * x);
        var series = (1.0 / 12) - (square * ((1.0 / 360) - (square * ((1.0 / 1260) - (square / 1680)))));
        return shift + ((x - 0.5) * Math.Log(x)) - x + (0.5 * Math.Log(2 * Math.PI)) + (series / x);
    }
}
