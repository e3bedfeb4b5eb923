using System.CommandLine;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije tokenize TEXT</c></summary>
internal static class TokenizeCommand
{
    public static Command Create(Terminal terminal)
    {
        var text = new Argument<string>("TEXT");
        var command = new Command("tokenize") { text };
        command.SetAction(parsed =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var given = parsed.GetValue(text)!;
            if (given == "-") given = TextLines.All(terminal);
            var folder = ModelChoice.Find(parsed);
            var tokenizer = ClipModel.LoadTokenizer(folder);
            var whole = tokenizer.Encode(given);
            var truncated = whole.Length > tokenizer.MaxLength;
            var ids = truncated ? tokenizer.EncodeBatch([given], tokenizer.MaxLength)[0] : whole;
            var tokens = tokenizer.Tokens(given);
            if (truncated) tokens = [.. tokens[..(ids.Length - 1)], tokens[^1]];
            var clean = tokenizer.Clean(given);
            var pieces = WordPieces.Pieces(tokens);
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new
                {
                    Text = given, clean, ids, tokens, pieces, ids.Length, truncated,
                    WholeLength = whole.Length, tokenizer.MaxLength, tokenizer.PadId, tokenizer.VocabularySize,
                });
                return 0;
            }

            terminal.Say(words["tokenize.clean", clean]);
            terminal.SayTable([">" + words["word.place"], words["word.token"], words["word.text"], ">id"],
                tokens.Select((token, i) => new[] { $"{i}", token, pieces[i].Length > 0 ? pieces[i] : "…", $"{ids[i]}" }));
            terminal.Say(truncated
                ? words["tokenize.too-long", whole.Length, ids.Length - 1]
                : words["tokenize.tokens", ids.Length, tokenizer.MaxLength]);
            return 0;
        });
        return command;
    }
}
