using Alebrije.Models.Flamingo;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>Attention of generated tokens to the patches of their image, through the resampled tokens.</summary>
internal static class AnswerGlances
{
    /// <param name="network">The network.</param>
    /// <param name="prompt">Ids of the prompt.</param>
    /// <param name="patches">[1, images, patches, width], or null.</param>
    /// <param name="answer">The generated tokens.</param>
    public static IReadOnlyList<FlamingoGlance> Compute(FlamingoNetwork network, int[] prompt, Tensor? patches, FlamingoAnswer answer)
    {
        if (patches is null) return [.. answer.Tokens.Select(token => new FlamingoGlance(token, -1, []))];
        using var scope = NewDisposeScope();
        Tensor? resampling = null;
        var media = network.Resample(patches, seen => resampling = seen.detach().DetachFromDisposeScope());
        var record = new FlamingoRecord();
        int[] all = [.. prompt, .. answer.Tokens.Select(token => token.Id)];
        network.Predict(tensor(all.Select(id => (long)id).ToArray(), [1, all.Length]), media, options: (LastOnly: true, record));

        // Latents to patches, the latents' attention among themselves left out: [images, latents, patches].
        var count = patches.shape[2];
        var onto = resampling!.to(ScalarType.Float32).mean([1]).narrow(-1, 0, count);
        onto = onto / onto.sum(-1, keepdim: true);
        var cross = stack([.. record.Cross.Values]).mean([0, 2])[0];                          // [tokens, images · latents]
        cross = cross.reshape(all.Length, media.shape[1], media.shape[2]);
        var glances = new List<FlamingoGlance>();
        for (var i = 0; i < answer.Tokens.Count; i++)
        {
            // A token is predicted at the position before it.
            var at = prompt.Length + i - 1;
            var image = all.Take(at + 1).Count(id => id == network.MediaToken) - 1;
            var seen = image >= 0 && image < media.shape[1];
            var shares = seen ? cross[at, image].unsqueeze(0).mm(onto[image])[0].contiguous().data<float>().ToArray() : [];
            glances.Add(new FlamingoGlance(answer.Tokens[i], seen ? image : -1, [.. shares.Select(x => (double)x)]));
        }

        foreach (var recorded in record.Cross.Values) recorded.Dispose();
        resampling!.Dispose();
        return glances;
    }
}
