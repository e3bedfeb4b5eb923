using Alebrije.Tensors;
using TorchSharp;

TorchRuntime.Initialize();
Console.WriteLine($"{torch.__version__} {TorchRuntime.LoadedFrom} {torch.randn(2, 2).sum().item<float>()}");
