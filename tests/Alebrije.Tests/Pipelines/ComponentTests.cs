using Alebrije.Nn;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

public sealed class ComponentTests
{
    public ComponentTests() => TorchRuntime.Initialize();

    [Fact]
    public void Component_IsLoadedWhenItIsFirstNeeded_AndOnceWhileItStays()
    {
        var loads = new Loads();
        using var component = new Component<Loads.Part>(loads.Next, keep: true);
        Assert.Equal((0, false), (loads.Count, component.IsLoaded));
        Assert.Equal(1, component.Use(part => part.Number));
        Assert.Equal(1, component.Use(part => part.Number));
        Assert.Equal((1, true, 0), (loads.Count, component.IsLoaded, loads.Released));
        component.Dispose();
        Assert.Equal((1, false), (loads.Released, component.IsLoaded));
    }

    [Fact]
    public void Component_ThatIsNotKept_GoesAfterEveryUse()
    {
        var loads = new Loads();
        using var component = new Component<Loads.Part>(loads.Next, keep: false);
        Assert.Equal([1, 2], [component.Use(part => part.Number), component.Use(part => part.Number)]);
        Assert.Equal((2, 2, false), (loads.Count, loads.Released, component.IsLoaded));
        Assert.Throws<InvalidOperationException>(() => component.Use<int>(_ => throw new InvalidOperationException()));
        Assert.Equal((3, 3), (loads.Count, loads.Released));
    }

    [Fact]
    public void Loans_HoldTheComponentUntilTheLastIsDisposed_EachCountsOnce()
    {
        var loads = new Loads();
        using var component = new Component<Loads.Part>(loads.Next, keep: false);
        using var other = new Component<Loads.Part>(loads.Next, keep: false);
        var (first, second) = (component.Borrow(), component.Borrow());
        Assert.Same(first.Value, second.Value);
        Assert.True(component.Lends(first));
        Assert.False(other.Lends(first));
        first.Dispose();
        first.Dispose();
        Assert.Equal((true, 0), (component.IsLoaded, loads.Released));
        Assert.Equal(1, component.Use(part => part.Number));
        Assert.True(component.IsLoaded);
        second.Dispose();
        Assert.Equal((false, 1), (component.IsLoaded, loads.Released));
    }

    [Fact]
    public void Component_OfSomethingThatIsThere_Stays()
    {
        var part = new Loads().Next();
        using var component = new Component<Loads.Part>(part);
        Assert.True(component.IsLoaded);
        Assert.Same(part, component.Use(value => value));
        Assert.True(component.IsLoaded);
    }

    [Fact]
    public void Weights_OutliveTheScopeInWhichTheyWereLoaded()
    {
        using var component = new Component<nn.Module<Tensor, Tensor>>(() => Layers.Linear(3, 2), keep: true);
        using var outer = NewDisposeScope();
        float[] first;
        using (NewDisposeScope())
        using (inference_mode())
            first = component.Use(layer => layer.call(ones(1, 3))).data<float>().ToArray();
        Assert.Equal(0, outer.DisposablesCount);
        Assert.Equal(first, component.Use(layer => layer.call(ones(1, 3))).data<float>().ToArray());
        // They are no inference tensors either: a gradient can be computed through them later.
        component.Use(layer => layer.call(ones(1, 3))).sum().backward();
        Assert.All(component.Use(layer => layer.parameters().ToArray()), weight => Assert.NotNull(weight.grad));
    }

    /// <summary>Counts loaded and disposed parts.</summary>
    private sealed class Loads
    {
        public int Count { get; private set; }

        public int Released { get; private set; }

        public Part Next() => new(this, ++Count);

        internal sealed class Part(Loads owner, int number) : IDisposable
        {
            public int Number => number;

            public void Dispose() => owner.Released++;
        }
    }
}
