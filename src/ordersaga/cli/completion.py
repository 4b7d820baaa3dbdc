"""`ordersaga completion`: the script with which a shell completes commands, options and names."""

import click

from ordersaga.cli.names import OneOf

VARIABLE = "_ORDERSAGA_COMPLETE"
"""Set by the script when it asks for completions.

A shell finds the completion of `ordersaga` also for every path that ends with it."""

BASH = """\
_ordersaga() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _ORDERSAGA_COMPLETE=bash_complete \\
        "${1/#\\~/$HOME}" 2>/dev/null)
}

complete -o nosort -F _ordersaga ordersaga ./ordersaga
"""
ZSH = """\
#compdef ordersaga

_ordersaga() {
    local -a lines described plain
    local type value help
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) _ORDERSAGA_COMPLETE=zsh_complete \\
        ${~words[1]} 2>/dev/null)}")
    for type value help in $lines; do
        case $type in
            plain) if [[ $help == _ ]]; then plain+=("$value"); else described+=("$value:$help"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files ;;
        esac
    done
    if (( $#described )); then _describe -V ordersaga described; fi
    if (( $#plain )); then compadd -V ordersaga -a plain; fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _ordersaga "$@"
else
    compdef _ordersaga ordersaga
fi
"""
FISH = """\
function __ordersaga_complete
    set -l words (commandline -opc)
    set -l answers (env _ORDERSAGA_COMPLETE=fish_complete COMP_WORDS=(commandline -cp | string collect) \\
        COMP_CWORD=(commandline -t | string collect) $words[1] 2>/dev/null)
    for answer in $answers
        set -l parts (string split -m 1 , -- $answer)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end

complete --no-files --command ordersaga --arguments '(__ordersaga_complete)'
"""


SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""They ask the program that was typed, such as `./ordersaga`; those of click ask one in $PATH."""

PLACES = """\b
Where to put it:
  bash  mkdir -p ~/.local/share/bash-completion/completions
        {program} completion bash > ~/.local/share/bash-completion/completions/ordersaga
        without the package bash-completion, a line in ~/.bashrc:  eval "$({program} completion bash)"
  zsh   a line in ~/.zshrc, after compinit:  eval "$({program} completion zsh)"
  fish  mkdir -p ~/.config/fish/completions
        {program} completion fish > ~/.config/fish/completions/ordersaga.fish
A line in a shell's own file needs the whole path of the program, unless it is in $PATH."""


class NamingItself(click.Command):
    """A command whose help names the program that was started."""

    def get_help(self, ctx: click.Context) -> str:
        self.epilog = PLACES.format(program=ctx.find_root().info_name)
        return super().get_help(ctx)


@click.command(cls=NamingItself)
@click.argument("shell", type=OneOf(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, and the names of services, groups and processes."""
    click.echo(SCRIPTS[shell], nl=False)
