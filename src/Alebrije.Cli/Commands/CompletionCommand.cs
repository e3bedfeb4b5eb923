using System.CommandLine;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije completion SHELL</c>: a script that completes verbs, options and their values in a shell.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            # alebrije completion bash > ~/.local/share/bash-completion/completions/alebrije
            _alebrije() {
                local word
                COMPREPLY=()
                while IFS= read -r word; do
                    [[ $word == "${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$word")
                done < <(alebrije "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)
            }
            complete -o default -F _alebrije alebrije

            """,
        ["zsh"] = """
            #compdef alebrije
            # alebrije completion zsh > "${fpath[1]}/_alebrije"
            _alebrije() {
                local -a candidates
                candidates=("${(@f)$(alebrije "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
                compadd -- ${candidates:#}
                _files
            }
            compdef _alebrije alebrije

            """,
        ["fish"] = """
            # alebrije completion fish > ~/.config/fish/completions/alebrije.fish
            complete -c alebrije -a '(alebrije "[suggest:"(commandline -C)"]" (commandline -p) 2>/dev/null)'

            """,
        ["pwsh"] = """
            # alebrije completion pwsh >> $PROFILE
            Register-ArgumentCompleter -Native -CommandName alebrije -ScriptBlock {
                param($word, $line, $position)
                alebrije "[suggest:$position]" "$line" 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            }

            """,
    };

    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("shell") { HelpName = "bash|zsh|fish|pwsh" };
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion") { shell };
        command.SetAction(parsed => terminal.SayBlock(Scripts[parsed.GetValue(shell)!].ReplaceLineEndings("\n")));
        return command;
    }
}
