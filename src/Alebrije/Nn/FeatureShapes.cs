using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Changes of layout for attention, by name.</summary>
internal static class FeatureShapes
{
    extension(Tensor x)
    {
        /// <summary>"b n (h d) → b h n d"</summary>
        public Tensor SplitHeads(long heads) => x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] / heads).transpose(1, 2);

        /// <summary>"b h n d → b n (h d)"</summary>
        public Tensor MergeHeads() => x.transpose(1, 2).reshape(x.shape[0], x.shape[2], x.shape[1] * x.shape[3]);

        /// <summary>"b c h w → b (h w) c"</summary>
        public Tensor ToSequence() => x.flatten(2).transpose(1, 2);

        /// <summary>"b (h w) c → b c h w"</summary>
        public Tensor ToFeatureMap(long height, long width) =>
            x.transpose(1, 2).reshape(x.shape[0], x.shape[2], height, width);
    }
}
