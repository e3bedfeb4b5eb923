using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Alebrije.Server.Studio;

/// <summary>Keys of sessions and form tokens, in memory: they end with the process.</summary>
internal sealed class SessionKeys : IXmlRepository
{
    private readonly Lock gate = new();
    private readonly List<XElement> elements = [];

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (gate) return [.. elements.Select(element => new XElement(element))];
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (gate) elements.Add(new XElement(element));
    }
}
