"""A group of commands, each imported only when it is used."""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import click

from ordersaga.cli.errors import CannotRunHere
from ordersaga.runtime.extras import how_to_install


def unchanged(command: click.Command) -> click.Command:
    return command


class LazyGroup(click.Group):
    """A click group from a table: name -> (`module:attribute`, summary in one line)."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table
        self.adapt: Callable[[click.Command], click.Command] = unchanged
        """Called with each command of the table; returns the command to use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        try:
            command: click.Command = resolve_name(self.table[cmd_name][0])
        except ModuleNotFoundError as missing:
            if not (install := how_to_install(missing)):
                raise
            raise CannotRunHere(f"`{cmd_name}` needs the package {missing.name}: {install}") from None
        return self.adapt(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
