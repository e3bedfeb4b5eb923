namespace Alebrije.Weights;

/// <summary>Raised when a file of weights or a configuration cannot be used as it is: damaged, refused, or not what the network needs.</summary>
public class WeightsException : Exception
{
    /// <summary>Creates the exception with a message in plain words.</summary>
    public WeightsException(string message) : base(message) { }

    /// <summary>Creates the exception with a message in plain words and its cause.</summary>
    public WeightsException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public WeightsException() { }
}

/// <summary>Raised when a checkpoint, or a part of it, is not there; the message says where it was looked for.</summary>
public sealed class CheckpointNotFoundException : WeightsException
{
    /// <summary>Creates the exception with a message in plain words.</summary>
    public CheckpointNotFoundException(string message) : base(message) { }

    /// <summary>Creates the exception with a message in plain words and its cause.</summary>
    public CheckpointNotFoundException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public CheckpointNotFoundException() { }
}
