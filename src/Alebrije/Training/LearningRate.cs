namespace Alebrije.Training;

/// <summary>Linear warm-up, then a cosine to a floor (Loshchilov and Hutter, 2017, eq. 5, one period).</summary>
/// <param name="Peak">Rate at the end of the warm-up.</param>
/// <param name="WarmUp">Steps of the warm-up.</param>
/// <param name="Total">Steps of the whole run; the rate stays at the floor after them.</param>
/// <param name="Floor">Last rate as a share of the peak.</param>
internal sealed record LearningRate(double Peak, long WarmUp, long Total, double Floor = 0.02)
{
    /// <param name="step">Number of the step, from 0.</param>
    /// <returns>Rate of that step.</returns>
    public double At(long step)
    {
        if (step < WarmUp) return Peak * (step + 1) / WarmUp;
        var progress = Math.Min(1, (step - WarmUp) / (double)Math.Max(1, Total - WarmUp));
        return Peak * (Floor + ((1 - Floor) * 0.5 * (1 + Math.Cos(Math.PI * progress))));
    }
}
