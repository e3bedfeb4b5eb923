using System.Runtime.CompilerServices;
using System.Text;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI;

/// <summary>
/// Flamingo as <c>IChatClient</c>: images in messages (<see cref="DataContent"/>) and questions about them. Earlier messages of the
/// user with the assistant's answers are the examples of the prompt. Safe from several threads: calls wait for each other.
/// </summary>
public sealed class FlamingoChatClient : IChatClient
{
    /// <summary>
    /// Name of the additional property with the text before a caption, a string; without it <see cref="FlamingoPrompt.CaptionLead"/>.
    /// <c>mini-flamingo</c> captions in Spanish after <see cref="FlamingoPrompt.SpanishLead"/>.
    /// </summary>
    public const string LeadProperty = "lead";

    private readonly FlamingoPipeline model;
    private readonly SemaphoreSlim gate = new(1, 1);

    /// <param name="model">A loaded model; whoever loaded it disposes it, after this client.</param>
    public FlamingoChatClient(FlamingoPipeline model)
    {
        ArgumentNullException.ThrowIfNull(model);
        this.model = model;
    }

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (prompt, sampling) = (PromptOf(messages, options), OptionsOf(options));
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var answer = await Task.Run(() => model.Generate(prompt, sampling, onText: null, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            return new ChatResponse(new ChatMessage(ChatRole.Assistant, answer.Text))
            {
                ModelId = model.Name, FinishReason = answer.Ended ? ChatFinishReason.Stop : ChatFinishReason.Length,
                Usage = UsageOf(prompt, answer),
            };
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages,
        ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (prompt, sampling) = (PromptOf(messages, options), OptionsOf(options));
        FlamingoAnswer? answer = null;
        var pieces = StreamedRun.ReadAsync<string>(
            gate, (report, stop) => answer = model.Generate(prompt, sampling, report, stop), cancellationToken);
        await foreach (var piece in pieces.ConfigureAwait(false))
            yield return new ChatResponseUpdate(ChatRole.Assistant, piece) { ModelId = model.Name };
        yield return new ChatResponseUpdate
        {
            Role = ChatRole.Assistant, ModelId = model.Name,
            FinishReason = answer!.Ended ? ChatFinishReason.Stop : ChatFinishReason.Length,
            Contents = [new UsageContent(UsageOf(prompt, answer))],
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata(ClipEmbeddingGenerator.ProviderName, null, model.Name)
            : serviceType.IsInstanceOfType(this) ? this : serviceType.IsInstanceOfType(model) ? model : null;
    }

    /// <inheritdoc/>
    public void Dispose() => gate.Dispose();

    /// <summary>Tokens of the prompt, one for each image, and of the answer.</summary>
    private UsageDetails UsageOf(FlamingoPrompt prompt, FlamingoAnswer answer)
    {
        var (input, output) = (model.Texts.Encode(prompt.Text).Length, answer.Tokens.Count);
        return new UsageDetails { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + output };
    }

    private static FlamingoPrompt PromptOf(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var lead = options?.AdditionalProperties?.GetValueOrDefault(LeadProperty)?.ToString() is { Length: > 0 } own
            ? FlamingoPrompt.Plain(own) : FlamingoPrompt.CaptionLead;
        var (text, images) = (new StringBuilder(), new List<RgbImage>());
        var answered = true;
        foreach (var message in messages)
        {
            if (message.Role == ChatRole.Assistant)
            {
                text.Append(FlamingoPrompt.Plain(message.Text)).Append(FlamingoPrompt.EndToken);
                answered = true;
                continue;
            }

            if (message.Role != ChatRole.User) continue;
            var found = message.Contents.OfType<DataContent>().Where(content => content.HasTopLevelMediaType("image"))
                .Select(content => PillowImage.FromBytes(content.Data.Span).Upright().ToRgb()).ToArray();
            images.AddRange(found);
            foreach (var _ in found) text.Append(FlamingoPrompt.ImageToken);
            var asked = FlamingoPrompt.Plain(message.Text);
            text.Append(asked.Length == 0 ? lead : FlamingoPrompt.Question(asked));
            answered = false;
        }

        if (answered) throw new ArgumentException("The last message is not the user's; there is nothing to answer.", nameof(messages));
        if (images.Count == 0)
            throw new ArgumentException("No message has an image; add one as DataContent with an image's media type.", nameof(messages));
        return new FlamingoPrompt(text.ToString(), images);
    }

    private static FlamingoOptions OptionsOf(ChatOptions? options)
    {
        var warmth = options?.Temperature is > 0 and var temperature ? temperature : (float?)null;
        return new FlamingoOptions
        {
            MaxTokens = options?.MaxOutputTokens ?? 20, Temperature = warmth, Beams = 1, TopP = options?.TopP ?? 1,
            Seed = options?.Seed ?? 0,
        };
    }
}
