"""A group of commands, each imported only when it is used."""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import click
from click.shell_completion import CompletionItem

from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.names import meant
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises click.UsageError, with the nearest name, for a command that is not in the table."""
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. {meant(name, self.table)}".rstrip())
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands of the table and the options, without importing a command."""
        commands = [CompletionItem(name, help=text) for name, (_, text) in self.table.items()]
        found = [item for item in commands if item.value.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
