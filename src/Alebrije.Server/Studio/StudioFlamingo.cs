using System.Runtime.CompilerServices;
using Alebrije.Extensions.AI;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Models;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.Studio;

/// <summary>An example of the prompt: an image, its question where the page has one, and the expected answer.</summary>
internal sealed record DescribedExample(RgbImage Image, string Question, string Answer);

/// <summary>Captions and answers about images, by the service's own models.</summary>
internal sealed class StudioFlamingo(ModelPool pool)
{
    /// <summary>Streams the answer in pieces.</summary>
    /// <param name="model">Name of a Flamingo on this disk.</param>
    /// <param name="image">The image.</param>
    /// <param name="question">A question; empty: a caption is generated.</param>
    /// <param name="examples">Examples of the prompt.</param>
    /// <param name="lead">Text before a caption.</param>
    /// <param name="tokens">Most tokens of the answer.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public async IAsyncEnumerable<string> AnswerAsync(string model, RgbImage image, string question,
        IReadOnlyList<DescribedExample> examples, string lead, int tokens, [EnumeratorCancellation] CancellationToken cancellation)
    {
        List<ChatMessage> messages = [];
        foreach (var example in examples)
        {
            messages.Add(Asked(example.Image, example.Question));
            messages.Add(new ChatMessage(ChatRole.Assistant, example.Answer));
        }

        messages.Add(Asked(image, question));
        using var lease = pool.RentChat(model);
        var client = await Task.Run(() => lease.Model.Chat, cancellation).ConfigureAwait(false);
        var sampling = new ChatOptions
        {
            MaxOutputTokens = tokens, AdditionalProperties = new() { [FlamingoChatClient.LeadProperty] = lead },
        };
        await foreach (var piece in client.GetStreamingResponseAsync(messages, sampling, cancellation).ConfigureAwait(false))
            yield return piece.Text;
    }

    private static ChatMessage Asked(RgbImage image, string question)
    {
        List<AIContent> contents = [new DataContent(image.ToPng(), "image/png")];
        if (!string.IsNullOrWhiteSpace(question)) contents.Add(new TextContent(question));
        return new ChatMessage(ChatRole.User, contents);
    }
}
