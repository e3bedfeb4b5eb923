namespace Alebrije.Diffusion;

/// <summary>Timesteps of a run (Lin et al., 2023, table 2: leading, linspace, trailing), rounded as in numpy (half to even).</summary>
internal static class TimestepGrid
{
    /// <summary>Descending timesteps of a run.</summary>
    /// <param name="config">Uses timestep_spacing, steps_offset and num_train_timesteps.</param>
    /// <param name="steps">Number of timesteps.</param>
    /// <param name="whole">True if linspace timesteps are rounded to integers.</param>
    public static float[] Spaced(SchedulerConfig config, int steps, bool whole = true)
    {
        Check(config, steps);
        var length = config.TrainTimesteps;
        return config.TimestepSpacing switch
        {
            "linspace" => [.. Linspace(0, length - 1, steps).Select(t => (float)(whole ? Math.Round(t) : t)).Reverse()],
            "leading" => Leading(config, steps),
            "trailing" => Trailing(length, (double)length / steps),
            _ => throw config.Unsupported("timestep_spacing", config.TimestepSpacing, "leading, linspace, trailing"),
        };
    }

    /// <summary>Throws for a number of steps that no grid supports.</summary>
    public static void Check(SchedulerConfig config, int steps, int least = 1)
    {
        if (steps < least || steps > config.TrainTimesteps)
            throw new ArgumentOutOfRangeException(
                nameof(steps), $"The number of steps is {steps}, but {config.ClassName} takes {least} to {config.TrainTimesteps}.");
    }

    /// <summary>from, from - stride, ... above zero, rounded, minus one.</summary>
    public static float[] Trailing(int from, double stride) =>
        [.. Enumerable.Range(0, (int)Math.Ceiling(from / stride)).Select(i => (float)Math.Round(from - (i * stride)) - 1)];

    /// <summary>numpy's linspace: both ends included.</summary>
    public static double[] Linspace(double start, double stop, int count)
    {
        var stride = count > 1 ? (stop - start) / (count - 1) : 0;
        var values = new double[count];
        for (var i = 0; i < count; i++) values[i] = (i * stride) + start;
        if (count > 1) values[^1] = stop;
        return values;
    }

    private static float[] Leading(SchedulerConfig config, int steps)
    {
        var stride = config.TrainTimesteps / steps;
        var grid = Enumerable.Range(0, steps).Reverse().Select(i => (float)((i * stride) + config.StepsOffset)).ToArray();
        return grid[0] < config.TrainTimesteps ? grid
            : throw new ArgumentOutOfRangeException(
                nameof(steps),
                $"{config.ClassName}: {steps} steps with steps_offset {config.StepsOffset} "
                    + $"begin at timestep {grid[0]}, beyond the last one, "
                + $"{config.TrainTimesteps - 1}; use fewer steps.");
    }
}
