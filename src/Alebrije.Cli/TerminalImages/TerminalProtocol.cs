namespace Alebrije.Cli.TerminalImages;

/// <summary>Protocols for images in a terminal.</summary>
internal enum TerminalProtocol
{
    /// <summary>No images: output is not a terminal, or a dumb one.</summary>
    None,

    /// <summary>Two coloured half blocks a character: any terminal with 24-bit colour.</summary>
    HalfBlocks,

    /// <summary>Sixel graphics: foot, mlterm, Windows Terminal, xterm -ti vt340.</summary>
    Sixel,

    /// <summary>iTerm2's inline images: iTerm2, WezTerm, VS Code, Tabby.</summary>
    ITerm,

    /// <summary>kitty's graphics protocol: kitty, Ghostty, Konsole.</summary>
    Kitty,
}

/// <summary>Detects the terminal's protocol from the environment alone, without a query that could wait.</summary>
internal static class TerminalDetection
{
    /// <summary>The best protocol for this process' environment.</summary>
    /// <param name="isTerminal">True if the output stream is a terminal, e.g. <c>!Console.IsErrorRedirected</c>.</param>
    public static TerminalProtocol Detect(bool isTerminal) => Detect(isTerminal, Environment.GetEnvironmentVariable);

    /// <summary>The best protocol for an environment; <c>ALEBRIJE_GRAPHICS</c> (kitty, iterm, sixel, blocks, none) overrides it.</summary>
    /// <param name="isTerminal">True if the output stream is a terminal.</param>
    /// <param name="variable">The value of an environment variable, or null.</param>
    public static TerminalProtocol Detect(bool isTerminal, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        string Value(string name) => variable(name) ?? "";
        switch (Value("ALEBRIJE_GRAPHICS").ToLowerInvariant())
        {
            case "kitty": return TerminalProtocol.Kitty;
            case "iterm" or "iterm2": return TerminalProtocol.ITerm;
            case "sixel": return TerminalProtocol.Sixel;
            case "blocks" or "half-blocks": return TerminalProtocol.HalfBlocks;
            case "none": return TerminalProtocol.None;
        }
        var (terminal, program) = (Value("TERM"), Value("TERM_PROGRAM"));
        // Terminal.app of macOS reports 256color and garbles 24-bit colours.
        if (!isTerminal || terminal == "dumb" || program == "Apple_Terminal" || Value("NO_COLOR").Length > 0)
            return TerminalProtocol.None;
        // A multiplexer between the program and the terminal passes colours through, but images only if configured.
        if (Value("TMUX").Length > 0 || terminal.StartsWith("screen", StringComparison.Ordinal)
            || terminal.StartsWith("tmux", StringComparison.Ordinal))
            return Colours(terminal, Value("COLORTERM"));
        if (Value("KITTY_WINDOW_ID").Length > 0 || terminal is "xterm-kitty" or "xterm-ghostty"
            || program == "ghostty" || Value("KONSOLE_VERSION").Length > 0)
            return TerminalProtocol.Kitty;
        if (program is "iTerm.app" or "WezTerm" or "vscode" or "Tabby" or "rio" || Value("LC_TERMINAL") == "iTerm2")
            return TerminalProtocol.ITerm;
        if (terminal.StartsWith("foot", StringComparison.Ordinal) || terminal.StartsWith("mlterm", StringComparison.Ordinal)
            || terminal.Contains("sixel", StringComparison.Ordinal) || terminal == "yaft-256color" || Value("WT_SESSION").Length > 0)
            return TerminalProtocol.Sixel;
        return Colours(terminal, Value("COLORTERM"));
    }

    private static TerminalProtocol Colours(string terminal, string colours)
        => colours is "truecolor" or "24bit" || terminal.EndsWith("direct", StringComparison.Ordinal)
        || terminal.Contains("256color", StringComparison.Ordinal)
            ? TerminalProtocol.HalfBlocks : TerminalProtocol.None;
}
