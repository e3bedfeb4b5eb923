namespace Alebrije.Catalog;

/// <summary>Raised when a model cannot be fetched, imported or removed; the message gives the reason and the remedy.</summary>
public sealed class HubException : Exception
{
    /// <summary>Creates the exception with a message in plain words.</summary>
    public HubException(string message) : base(message) { }

    /// <summary>Creates the exception with a message in plain words and its cause.</summary>
    public HubException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public HubException() { }
}

/// <summary>Something that may go well at the next try: an overloaded server, a cut or stalled connection.</summary>
/// <param name="message">The error, without a full stop.</param>
/// <param name="after">Wait that the server requests, or null.</param>
internal sealed class TransientHubException(string message, TimeSpan? after = null, Exception? inner = null) : Exception(message, inner)
{
    public TimeSpan? After { get; } = after;
}
