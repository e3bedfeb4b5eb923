using System.CommandLine;
using System.Net;
using Alebrije.Cluster;

namespace Alebrije.Cli.Commands;

/// <summary>Options of the verbs of a cluster.</summary>
internal static class ClusterFlags
{
    /// <summary>HOST:PORT of the store.</summary>
    public static Option<string?> Store()
    {
        var option = new Option<string?>("--store") { HelpName = "HOST:PORT" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } value
                && !(value.Split(':') is [{ Length: > 0 }, var port] && ushort.TryParse(port, out var number) && number > 0))
                result.AddError(Words.Of(result)["cluster.store-form", value]);
        });
        return option;
    }

    /// <summary>Name of the cluster.</summary>
    public static Option<string> Name() => new("--cluster") { HelpName = "NAME", DefaultValueFactory = _ => "alebrije" };

    /// <summary>Address at which this node listens.</summary>
    public static Option<string> Host()
    {
        var option = new Option<string>("--host") { HelpName = "ADDRESS", DefaultValueFactory = _ => IPAddress.Loopback.ToString() };
        option.Validators.Add(result =>
        {
            if (!IPAddress.TryParse(result.GetValueOrDefault<string>(), out var address) || address.Equals(IPAddress.Any))
                result.AddError(Words.Of(result)["cluster.host-form", result.GetValueOrDefault<string>()]);
        });
        return option;
    }

    /// <summary>Folders of index shards, as NAME=FOLDER.</summary>
    public static Option<string[]> Indexes()
    {
        var option = new Option<string[]>("--index") { HelpName = "NAME=FOLDER", Arity = ArgumentArity.ZeroOrMore };
        option.Validators.Add(result =>
        {
            foreach (var value in result.GetValueOrDefault<string[]>() ?? [])
                if (value.Split('=', 2) is not [{ Length: > 0 }, { Length: > 0 }])
                    result.AddError(Words.Of(result)["cluster.index-form", value]);
        });
        return option;
    }

    /// <summary>Number of at least one.</summary>
    public static Option<int> Count(string name, int usual)
    {
        var option = new Option<int>(name) { HelpName = "N", DefaultValueFactory = _ => usual };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1_000_000)
                result.AddError(Words.Of(result)["usage.whole-number-between", name, 1, 1_000_000]);
        });
        return option;
    }

    /// <summary>Settings of a node.</summary>
    public static ClusterSettings Settings(string? store, string name, string? host = null, string[]? indexes = null) => new()
    {
        Store = store, Name = name, Host = host is null ? IPAddress.Loopback : IPAddress.Parse(host),
        Indexes = (indexes ?? []).Select(value => value.Split('=', 2)).GroupBy(pair => pair[0], StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => Path.GetFullPath(group.Last()[1])),
    };
}
