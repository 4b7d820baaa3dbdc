"""What the commands over the trail share: filters, and the trail itself."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import click

from contracts import CONTRACTS
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import CONNECT_SECONDS, connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import Moment
from projections.audit.sources import those_that_answer, without
from projections.audit.trail import OPERATIONS, Trail, TrailFilter, is_known
from projections.service import projections

Command = Callable[..., Any]


class KnownType(click.ParamType[str]):
    """A contract, or what an operator does."""

    name = "type"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = (*sorted(CONTRACTS), *OPERATIONS)
        if value not in known:
            self.fail(f"{value!r} is none of: {', '.join(known)}", param, ctx)
        return value


FILTERS = (
    click.option("--order", type=click.UUID, metavar="ID", help="Only what concerns this order."),
    click.option("--actor", metavar="NAME", help="Only what this customer, operator or process wanted."),
    click.option("--correlation", type=click.UUID, metavar="ID", help="Only what came of one request."),
    click.option(
        "--type", "type_", type=KnownType(), help="Only this contract, or what operators do, such as operator.skip."
    ),
    click.option("--since", type=Moment(), help="Only what happened then or later (ISO 8601, UTC)."),
    click.option("--until", type=Moment(), help="Only what happened before."),
)


def filter_options(command: Command) -> Command:
    for option in reversed(FILTERS):
        command = option(command)
    return command


def asked(order: UUID | None, type_: str | None, **others: Any) -> TrailFilter:
    return TrailFilter(order=str(order) if order else None, type=type_, **others)


@contextmanager
def opened_trail(application: Application, wanted: TrailFilter) -> Iterator[Trail]:
    """Over all databases that answer; what is left out without the others is said on stderr.

    Raises:
        Failed: nothing is known of the order, or the read side does not answer.
    """
    others = [service.database for service in application.services if not service.is_read_side]
    urls = {database: application.database_url(database, OWNER) for database in others}
    with connected(application, projections, OWNER) as read_side, ExitStack() as stack:
        found, missing = those_that_answer(stack, urls, CONNECT_SECONDS)
        connections = {projections.database: read_side, **found}
        if missing:
            click.echo(without(missing), err=True)
        if wanted.order and not is_known(connections, wanted.order):
            raise Failed(
                f"Nothing is known of order {wanted.order}. Check the id; it is the one that POST /orders answered."
            )
        yield Trail(connections)
