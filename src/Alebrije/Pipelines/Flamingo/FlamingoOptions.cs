namespace Alebrije.Pipelines.Flamingo;

/// <summary>Options of a generated text. The defaults are those of the paper's captions (Alayrac et al., 2022, §B.1.3).</summary>
public sealed record FlamingoOptions
{
    /// <summary>Tokens at most, 1 or more.</summary>
    public int MaxTokens { get; init; } = 20;

    /// <summary>Beams of the search; 1: greedy, or sampling with a temperature.</summary>
    public int Beams { get; init; } = 3;

    /// <summary>
    /// Exponent of the length by which a beam's score is divided: 0 compares sums of log-probabilities, negative values favour short texts.
    /// </summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>Temperature of sampling, above 0; null: the most probable token.</summary>
    public double? Temperature { get; init; }

    /// <summary>Sampling draws from the fewest tokens that have this share of the probability, in (0, 1].</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Seed of sampling.</summary>
    public long Seed { get; init; }

    /// <summary>False continues after <c>&lt;|endofchunk|&gt;</c>.</summary>
    public bool StopsAtEnd { get; init; } = true;

    /// <summary>False computes all tokens again for each new one, to the same result.</summary>
    public bool UsesCache { get; init; } = true;

    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    internal void Check()
    {
        if (MaxTokens < 1) throw new ArgumentException($"The number of tokens is {MaxTokens}, but must be at least 1.");
        if (Beams is < 1 or > 64) throw new ArgumentException($"The number of beams is {Beams}, but must be between 1 and 64.");
        if (Temperature is not (null or (> 0 and <= 100)))
            throw new ArgumentException($"The temperature is {Temperature}, but must be above 0 and at most 100.");
        if (TopP is not (> 0 and <= 1)) throw new ArgumentException($"Top-p is {TopP}, but must be in (0, 1].");
        if (Temperature is not null && Beams > 1)
            throw new ArgumentException($"Sampling with a temperature has one beam, not {Beams}; leave one of the two out.");
    }
}

/// <summary>A generated token.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its text; a part of a character is U+FFFD.</param>
/// <param name="LogProbability">Natural logarithm of its probability after all tokens before it.</param>
public sealed record FlamingoToken(int Id, string Text, double LogProbability);

/// <summary>A generated text.</summary>
/// <param name="Text">The text, without the end token and white space around it.</param>
/// <param name="Tokens">The tokens, with the end token where it was reached.</param>
/// <param name="Ended">True if the model ended the text, false if it was cut at the largest number of tokens.</param>
public sealed record FlamingoAnswer(string Text, IReadOnlyList<FlamingoToken> Tokens, bool Ended)
{
    /// <summary>Sum of the tokens' log-probabilities.</summary>
    public double LogProbability => Tokens.Sum(token => token.LogProbability);
}

/// <summary>Gates of one block.</summary>
/// <param name="Layer">Layer of the language model that the block precedes, from 0.</param>
/// <param name="Attention">Factor of the attention to images: the tanh of its gate, in (-1, 1).</param>
/// <param name="FeedForward">Factor of the feed-forward network.</param>
public sealed record FlamingoGates(int Layer, double Attention, double FeedForward);

/// <summary>A generated token and where it looked.</summary>
/// <param name="Token">The token.</param>
/// <param name="Image">Number of the image that its prediction attended to, from 0; -1: none.</param>
/// <param name="Patches">
/// [grid · grid] of that image, row by row, sum 1: attention of the prediction to the resampled tokens, averaged over gated blocks and
/// heads, times the attention of the resampled tokens to the patches. Empty without an image.
/// </param>
public sealed record FlamingoGlance(FlamingoToken Token, int Image, IReadOnlyList<double> Patches);

/// <summary>A generated text from the inside: gates, and attention of every token.</summary>
/// <param name="Gates">Gates of all blocks.</param>
/// <param name="Grid">Patches along a side of an image.</param>
/// <param name="Glances">One for every generated token.</param>
public sealed record FlamingoTrace(IReadOnlyList<FlamingoGates> Gates, int Grid, IReadOnlyList<FlamingoGlance> Glances);
