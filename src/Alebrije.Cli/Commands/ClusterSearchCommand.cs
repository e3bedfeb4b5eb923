using System.CommandLine;
using System.Globalization;
using Alebrije.Cluster;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije cluster search TEXT --collection NAME</c></summary>
internal static class ClusterSearchCommand
{
    public static Command Create(Terminal terminal)
    {
        var text = new Argument<string>("TEXT");
        var collection = new Option<string>("--collection") { HelpName = "NAME", Required = true };
        var (store, name, indexes) = (ClusterFlags.Store(), ClusterFlags.Name(), ClusterFlags.Indexes());
        var top = ClusterFlags.Count("--top", 10);
        var command = new Command("search") { text, collection, store, name, indexes, top };
        command.SetAction((parsed, cancellation) => Task.Run(
            async () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var settings = ClusterFlags.Settings(
                    parsed.GetValue(store), parsed.GetValue(name)!, host: null, parsed.GetValue(indexes));
                if (settings.Store is null == (settings.Indexes.Count == 0)) throw new UsageException(words["cluster.store-or-index"]);
                var found = ModelChoice.Find(parsed);
                CommonOptions.StartTorch(parsed);
                using var model = ClipModel.Load(found, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
                var query = model.EmbedTexts([parsed.GetValue(text)!], cancellation: cancellation)[0];
                await using var client = settings.Store is null ? null : await ClusterClient.ConnectAsync(settings, cancellation);
                await using var node = client is null ? await ClusterNode.StartAsync(settings, cancellation) : null;
                var connection = client?.Connection ?? node!.Connection;
                var answer = await connection.SearchAsync(
                    parsed.GetValue(collection)!, query, model.Space, parsed.GetValue(top), cancellation);
                if (parsed.GetValue(CommonOptions.Json))
                {
                    terminal.SayJson(new { model = model.Name, answer.Shards, partial = answer.IsPartial, answer.Missing,
                        results = answer.Hits.Select(hit => new { file = hit.Label, hit.Score, hit.Part, hit.Row }) });
                    return 0;
                }

                terminal.SayTable([words["word.file"], ">" + words["word.cosine"]], answer.Hits.Select(hit =>
                    new[] { hit.Label, hit.Score.ToString("F3", CultureInfo.InvariantCulture) }));
                if (answer.IsPartial) terminal.Note(words["cluster.partial", answer.Missing.Length, answer.Shards]);
                return 0;
            },
            CancellationToken.None));
        return command;
    }
}
