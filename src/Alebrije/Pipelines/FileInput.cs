using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>A file that a request refers to, with its hash: a recipe draws with the same bytes again, or refuses.</summary>
public abstract record FileInput
{
    private protected FileInput(string? file, string? sha256) => (File, Sha256) = (file, sha256);

    /// <summary>Path of the file.</summary>
    public string? File { get; }

    /// <summary>SHA-256 of the file, 64 hexadecimal digits; null before it is read.</summary>
    public string? Sha256 { get; private set; }

    /// <summary>Takes the hash of the file, or compares it with the one that was given.</summary>
    /// <exception cref="InvalidDataException">The file has another hash than <see cref="Sha256"/>.</exception>
    /// <param name="found">SHA-256 of the file, 64 lower-case hexadecimal digits.</param>
    private protected void Check(string found)
    {
        if (Sha256 is { } wanted && !wanted.Equals(found, StringComparison.OrdinalIgnoreCase))
            throw new InvalidDataException($"{File} has changed since the recipe was written: its SHA-256 is {found}, not {wanted}.");
        Sha256 = found;
    }

    /// <summary>Opens a file of tensors, checked by its hash; the caller closes it.</summary>
    /// <exception cref="FileNotFoundException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">The file has another hash than <see cref="Sha256"/>.</exception>
    /// <exception cref="WeightsException">The file is damaged or refused.</exception>
    internal TensorSource OpenTensors()
    {
        if (!System.IO.File.Exists(File)) throw new FileNotFoundException($"There is no file {File}.", File);
        Check(FileHash.Sha256(File));
        return CheckpointFolder.OpenWeights(File);
    }
}
