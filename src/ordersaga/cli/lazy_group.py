"""A group of commands, each imported only when it is used."""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import click

from ordersaga.cli.errors import CannotRunHere

EXTRAS = {"cryptography": "audit", "jwt": "http"}
"""Package that a command may lack -> extra of ordersaga that brings it."""


def unchanged(command: click.Command) -> click.Command:
    return command


class LazyGroup(click.Group):
    """Click's group, made of a table: name -> (`module:attribute`, what it does in a line)."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table
        self.adapt: Callable[[click.Command], click.Command] = unchanged
        """Makes of each command of the table the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        try:
            command: click.Command = resolve_name(self.table[cmd_name][0])
        except ModuleNotFoundError as missing:
            if missing.name not in EXTRAS:
                raise
            install = f"pip install 'ordersaga[{EXTRAS[missing.name]}]'"
            raise CannotRunHere(f"`{cmd_name}` needs the package {missing.name}: {install}") from None
        return self.adapt(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
