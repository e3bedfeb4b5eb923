using System.CommandLine.Parsing;
using System.Globalization;

namespace Alebrije.Cli;

/// <summary>Messages in one language, from <see cref="Translations.Messages"/>.</summary>
/// <param name="Language"><c>en</c> or <c>es</c>.</param>
internal readonly record struct Words(string Language)
{
    /// <summary>Language of errors while a value of the command line is checked.</summary>
    public static Words Of(SymbolResult result) => new(CommonOptions.LanguageOf(result));

    /// <summary>A message; numbers have the same form in every language, as in <c>0.5</c>.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="values">Values of its placeholders, <c>{0}</c> first.</param>
    public string this[string key, params ReadOnlySpan<object?> values] =>
        string.Format(CultureInfo.InvariantCulture, Translations.Message(key).In(Language), values);

    /// <summary>A message with a count: its key ends in <c>.one</c> or <c>.other</c>.</summary>
    /// <param name="key">The key without this ending.</param>
    /// <param name="count">The count, <c>{0}</c> of the message.</param>
    /// <param name="values">Values of the other placeholders, <c>{1}</c> first.</param>
    public string Count(string key, long count, params ReadOnlySpan<object?> values) =>
        this[key + (count == 1 ? ".one" : ".other"), [count, .. values]];

    /// <summary>"1 image", "3 images".</summary>
    public string Images(int count) => Count("common.images", count);

    /// <summary>"1 text", "3 texts".</summary>
    public string Texts(int count) => Count("common.texts", count);

    /// <summary>"Wrote FILE".</summary>
    public string Wrote(string path) => this["common.wrote", path];
}
