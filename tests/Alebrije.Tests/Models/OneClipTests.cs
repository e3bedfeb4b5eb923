using System.Reflection;
using System.Text.RegularExpressions;
using Alebrije.Models.Clip;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;

namespace Alebrije.Tests.Models;

/// <summary>There is one network for CLIP, whatever the layout of its files.</summary>
public sealed partial class OneClipTests
{
    private static Type[] All => typeof(ClipNetwork).Assembly.GetTypes();

    private static IEnumerable<Type> Types => All.Where(type => type.Namespace == typeof(ClipNetwork).Namespace);

    [Fact]
    public void TextTransformerAndVisionTransformer_AreOneClassEach()
    {
        Assert.Equal([typeof(ClipTextTransformer)], Modules("TextTransformer"));
        Assert.Equal([typeof(ClipVisionTransformer)], Modules("VisionTransformer"));
        Assert.Equal([typeof(ClipTextEmbeddings)], WithField("token_embedding"));
        Assert.Equal([typeof(ClipVisionEmbeddings)], WithField("class_embedding"));
        Assert.DoesNotContain(Types, type => OfAnotherNetwork().IsMatch(type.Name));
    }

    [Fact]
    public void Blocks_AreOneClass_AndPackedByOne()
    {
        var stacks = Types.Where(type => Fields(type).Any(field => field.FieldType == typeof(ModuleList<ClipEncoderLayer>)));
        Assert.Equal([typeof(ClipEncoder)], stacks);
        Assert.Equal([typeof(ClipAttention)], Modules("Attention"));
        var packed = All.Where(type => Fields(type).Count(field => field.FieldType == typeof(PackedLinear)) >= 4);
        Assert.Equal([typeof(PackedBlocks)], packed.Select(type => type.DeclaringType));
    }

    private static IEnumerable<Type> Modules(string ending) =>
        Types.Where(type => type.IsAssignableTo(typeof(torch.nn.Module)) && type.Name.EndsWith(ending, StringComparison.Ordinal));

    private static IEnumerable<Type> WithField(string name) => Types.Where(type => Fields(type).Any(field => field.Name == name));

    private static FieldInfo[] Fields(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);

    [GeneratedRegex("^OpenClip.*(Network|Text|Vision|Transformer)$")]
    private static partial Regex OfAnotherNetwork();
}
