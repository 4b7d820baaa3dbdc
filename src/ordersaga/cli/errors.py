"""The two failures of a command; each message says what happened, where, and what to do."""

import click


class Failed(click.ClickException):
    """The command failed; exit code 1."""


class CannotRunHere(click.ClickException):
    """Something must be set or installed first; exit code 2."""

    exit_code = 2


def full_command(command: str) -> str:
    """The full command in backquotes, such as `ordersaga parked list`."""
    context = click.get_current_context(silent=True)
    return f"`{(context and context.find_root().info_name) or 'ordersaga'} {command}`"
