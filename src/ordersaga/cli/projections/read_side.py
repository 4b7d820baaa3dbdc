"""The read side that a command is for, and one of its views by name."""

import click

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
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
        application = ctx and ctx.find_object(Application)
        assert application, "the group of commands makes one"
        views = read_side_of(application).views
        if value not in views:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, views))}.", param, ctx)
        return value
