namespace Alebrije.Weights;

/// <summary>Raised when a file of weights or a configuration is unusable: damaged, rejected, or not matching the network.</summary>
public class WeightsException : Exception
{
    /// <summary>Creates the exception with a message.</summary>
    public WeightsException(string message) : base(message) { }

    /// <summary>Creates the exception with a message and its cause.</summary>
    public WeightsException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public WeightsException() { }
}

/// <summary>Raised when a checkpoint, or a part of it, is missing; the message contains the searched location.</summary>
public sealed class CheckpointNotFoundException : WeightsException
{
    /// <summary>Creates the exception with a message.</summary>
    public CheckpointNotFoundException(string message) : base(message) { }

    /// <summary>Creates the exception with a message and its cause.</summary>
    public CheckpointNotFoundException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public CheckpointNotFoundException() { }
}
