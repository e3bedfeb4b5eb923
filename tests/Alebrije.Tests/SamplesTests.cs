using System.Text.RegularExpressions;

namespace Alebrije.Tests;

/// <summary>Samples are one file and one task each, short, and refer to existing projects and packages.</summary>
public sealed partial class SamplesTests
{
    public static TheoryData<string> All =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples"), "*.cs").Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(All))]
    public void Sample_IsShortAndNamesWhatExists(string name)
    {
        var file = Path.Combine(Repository.Root, "samples", name);
        var lines = File.ReadAllLines(file);
        Assert.InRange(lines.Length, 10, 60);
        var projects = lines.Select(line => Project().Match(line)).Where(match => match.Success)
            .Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(projects);
        Assert.All(projects, project => Assert.True(File.Exists(Path.Combine(Path.GetDirectoryName(file)!, project)),
            $"{name} names {project}, which is not there"));
        var pinned = File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props"));
        foreach (var package in lines.Select(line => Package().Match(line)).Where(match => match.Success))
            Assert.Contains($"\"{package.Groups[1].Value}\"", pinned, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^#:project (\S+)")]
    private static partial Regex Project();

    [GeneratedRegex(@"^#:package (\S+)")]
    private static partial Regex Package();
}
