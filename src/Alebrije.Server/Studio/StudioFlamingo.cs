using System.Runtime.CompilerServices;
using Alebrije.Extensions.AI;
using Alebrije.Pipelines.Estimates;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Models;
using Alebrije.Tensors;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.Studio;

/// <summary>An example of the prompt: an image, its question where the page asks one, and the wanted answer.</summary>
internal sealed record DescribedExample(RgbImage Image, string Question, string Answer);

/// <summary>Captions and answers about images: one Flamingo, loaded at first use, for one page at a time.</summary>
internal sealed class StudioFlamingo(ModelPool pool, ServerOptions options) : IDisposable
{
    private readonly SemaphoreSlim gate = new(1, 1);
    private (string Name, FlamingoPipeline Pipeline, FlamingoChatClient Client)? loaded;
    private ITimer? end;

    /// <summary>Streams the answer in pieces.</summary>
    /// <param name="model">Name of a Flamingo on this disk.</param>
    /// <param name="image">The image.</param>
    /// <param name="question">A question; empty asks for a caption.</param>
    /// <param name="examples">Examples of the prompt.</param>
    /// <param name="tokens">Most tokens of the answer.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public async IAsyncEnumerable<string> AnswerAsync(string model, RgbImage image, string question,
        IReadOnlyList<DescribedExample> examples, int tokens, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            end?.Dispose();
            var client = await Task.Run(() => Open(model), cancellation).ConfigureAwait(false);
            List<ChatMessage> messages = [];
            foreach (var example in examples)
            {
                messages.Add(Asked(example.Image, example.Question));
                messages.Add(new ChatMessage(ChatRole.Assistant, example.Answer));
            }

            messages.Add(Asked(image, question));
            var sampling = new ChatOptions { MaxOutputTokens = tokens };
            await foreach (var piece in client.GetStreamingResponseAsync(messages, sampling, cancellation).ConfigureAwait(false))
                yield return piece.Text;
        }
        finally
        {
            if (options.KeepAlive is { } kept) end = TimeProvider.System.CreateTimer(_ => Unload(), null, kept, Timeout.InfiniteTimeSpan);
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        end?.Dispose();
        Unload();
        gate.Dispose();
    }

    private FlamingoChatClient Open(string name)
    {
        if (loaded is { } open && open.Name == name) return open.Client;
        Release();
        var catalog = pool.Catalog;
        var bytes = catalog.List().FirstOrDefault(each => each.Name == name)?.Bytes ?? 0;
        if (bytes > ModelMemory.Available()) throw ModelPool.Short(name, bytes, ModelMemory.Available());
        TorchRuntime.Initialize(options.Threads);
        var folder = catalog.Find(name);
        var pipeline = catalog.CompanionsOf(name) is [var language, var vision]
            ? FlamingoPipeline.Load(folder, language, vision) : FlamingoPipeline.Load(folder);
        loaded = (name, pipeline, new FlamingoChatClient(pipeline));
        return loaded.Value.Client;
    }

    private void Unload()
    {
        if (!gate.Wait(0)) return;
        try
        {
            Release();
        }
        finally
        {
            gate.Release();
        }
    }

    private void Release()
    {
        loaded?.Client.Dispose();
        loaded?.Pipeline.Dispose();
        loaded = null;
    }

    private static ChatMessage Asked(RgbImage image, string question)
    {
        List<AIContent> contents = [new DataContent(image.ToPng(), "image/png")];
        if (!string.IsNullOrWhiteSpace(question)) contents.Add(new TextContent(question));
        return new ChatMessage(ChatRole.User, contents);
    }
}
