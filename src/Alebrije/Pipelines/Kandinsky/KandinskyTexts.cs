using static TorchSharp.torch;

namespace Alebrije.Pipelines.Kandinsky;

internal sealed class KandinskyTexts : IDisposable
{
    public static KandinskyTexts Of(PipelineFolder folder, bool keep) => throw new NotSupportedException("pending");
    public (Tensor Pooled, Tensor Encodings) Encode(IReadOnlyList<string> prompts) => throw new NotSupportedException("pending");
    public void Dispose() { }
}
