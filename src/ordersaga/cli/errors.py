"""Two ways to fail, both said to a person: what happened, where, and what to do."""

import click


class Failed(click.ClickException):
    """The command could not do what was asked; exit code 1."""


class CannotRunHere(click.ClickException):
    """Something must be set or installed first; exit code 2."""

    exit_code = 2


def run_this(command: str) -> str:
    """A command of this program as a person types it, in backquotes: `ordersaga parked list`."""
    context = click.get_current_context(silent=True)
    return f"`{(context and context.find_root().info_name) or 'ordersaga'} {command}`"
