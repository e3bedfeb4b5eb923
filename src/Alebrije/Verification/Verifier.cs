using System.Text.RegularExpressions;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification;

/// <summary>
/// Compares this library with its references: runs golden fixtures and censuses of tensor names, and checks checkpoints. Cases that
/// cannot be run are reported as failures, never skipped.
/// </summary>
public static partial class Verifier
{
    /// <summary>Verifies a fixture, a census, a checkpoint, or every fixture and census below a folder.</summary>
    /// <param name="folder">
    /// A folder with <c>cases.json</c> (fixture), <c>index.json</c> (census), <c>model_index.json</c> or <c>config.json</c> (checkpoint),
    /// or a parent of fixtures.
    /// </param>
    /// <param name="progress">Called with each case when it completes.</param>
    /// <param name="cancellation">Stops between cases.</param>
    /// <exception cref="CheckpointNotFoundException">The folder does not exist, or contains nothing to verify.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was requested.</exception>
    public static VerificationReport Run(string folder, Action<VerificationCase>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder)) throw new CheckpointNotFoundException($"there is no folder {folder}.");
        TorchRuntime.Initialize();
        var cases = new List<VerificationCase>();
        foreach (var (path, verify) in Find(folder, []))
        {
            var fixture = path == folder ? null : Path.GetRelativePath(folder, path).Replace('\\', '/');
            foreach (var result in verify(path))
            {
                cancellation.ThrowIfCancellationRequested();
                cases.Add(result with { Fixture = fixture });
                progress?.Invoke(cases[^1]);
            }
        }

        if (cases.Count == 0)
            throw new CheckpointNotFoundException($"{folder} holds nothing "
                + $"to verify; looked for {Fixture.FileName}, index.json of a census, model_index.json and config.json.");
        return new VerificationReport { Cases = cases };
    }

    private static IEnumerable<(string Path, Func<string, IEnumerable<VerificationCase>> Verify)> Find(string folder, HashSet<string> above)
    {
        // Prevents endless recursion by a link to a parent folder.
        var real = new DirectoryInfo(folder).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path.GetFullPath(folder);
        if (above.Contains(real)) yield break;
        if (File.Exists(Path.Combine(folder, Fixture.FileName)))
        {
            yield return (folder, RunFixture);
        }
        else if (CensusVerifier.IsCensus(folder))
        {
            yield return (folder, CensusVerifier.Run);
        }
        else if (CheckpointVerifier.IsCheckpoint(folder))
        {
            yield return (folder, CheckpointVerifier.Run);
        }
        else
        {
            foreach (var child in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
                foreach (var found in Find(child, [.. above, real])) yield return found;
        }
    }

    private static List<VerificationCase> RunFixture(string folder)
    {
        var results = new List<VerificationCase>();
        try
        {
            using var scope = NewDisposeScope();
            using var fixture = new Fixture(folder);
            foreach (var c in fixture.Cases) results.AddRange(RunCase(c));
            results.AddRange(TextVerifier.Run(fixture));
            if (results.Count == 0) results.Add(new VerificationCase { Id = Path.GetFileName(folder),
                Ok = false, Error = "the fixture holds neither cases nor texts." });
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            results.Add(Failure(Path.GetFileName(Path.GetFullPath(folder)), e));
        }

        return results;
    }

    private static List<VerificationCase> RunCase(FixtureCase c)
    {
        var start = new VerificationCase { Id = c.Id, Ok = false };
        if (FixtureRunners.Find(c) is not { } run)
            return [start with { Error = $"there is no runner for {c.Call} of "
                + $"{c.Fixture.Library}'s {c.Pipeline ?? c.Fixture.ReferenceClass}." }];
        try
        {
            var ours = run(c);
            if (c.Outputs.Count == 0) return [start with { Error = "the case has no expected outputs." }];
            var results = new List<VerificationCase>();
            foreach (var (name, tolerance) in c.Outputs)
            {
                if (ours.TryGetValue(name, out var value))
                    results.Add(TensorComparison.Compare(start with { Output = name }, value, c.Fixture.Read(c.Id, name), tolerance));
                else if (!BetweenComponents().IsMatch(name))
                    results.Add(start with { Output = name, Error = "this output is not computed." });
            }

            return results;
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            return [Failure(c.Id, e)];
        }
    }

    /// <summary>A case ended by an exception; native messages have a stack trace below their first line.</summary>
    internal static VerificationCase Failure(string id, Exception e) =>
        new() { Id = id, Ok = false, Error = ErrorSentence.Of(e) };

    /// <summary>Names of inputs and outputs of a component's n-th call: optional, since they depend on the batching.</summary>
    [GeneratedRegex(@"_(\d+|encode|decode)_(in|out)(_|$)", RegexOptions.CultureInvariant)]
    private static partial Regex BetweenComponents();
}
