"""The read side that a command is for, and one of its views by name."""

import click
from click.shell_completion import CompletionItem

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.names import completions, not_one_of
from ordersaga.cli.options import application_of
from ordersaga.readside.read_side import ReadSide


def read_side_of(application: Application) -> ReadSide:
    """Raises Failed: the application has none."""
    if not isinstance(application.read_side, ReadSide):
        raise Failed("The application has no read side: none of its services is a ReadSide.")
    return application.read_side


class ViewName(click.ParamType[str]):
    """A view of the application's read side."""

    name = "view"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        views = read_side_of(application_of(ctx)).views
        if value not in views:
            self.fail(not_one_of(value, views), param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return completions(read_side_of(application_of(ctx)).views, incomplete)
