"""`dce completion SHELL`: prints the script that lets the shell complete verbs, options and values."""

import click
from click.shell_completion import get_completion_class

from dce.cli.output import data
from dce.wire.errors import DceError


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes dce's verbs in your shell.

    \b
    bash: dce completion bash > ~/.local/share/bash-completion/completions/dce
    zsh:  dce completion zsh > "${fpath[1]}/_dce"
    fish: dce completion fish > ~/.config/fish/completions/dce.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise DceError("invalid_input", f"no completion for {shell}")
    data(kind(ctx.find_root().command, {}, "dce", "_DCE_COMPLETE").source())
