"""Shared by the commands over the trail: its filters, and the opened trail."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import click
from click.shell_completion import CompletionItem

from contracts import CONTRACTS
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import KeyId
from ordersaga.cli.names import completions, meant
from ordersaga.cli.options import Moment
from ordersaga.runtime.sessions import OPERATOR
from projections.audit.sources import connect_available, incomplete_notice
from projections.audit.trail import OPERATIONS, Trail, TrailFilter, is_known
from projections.service import projections

Command = Callable[..., Any]


class KnownType(click.ParamType[str]):
    """A contract, or an operator's action."""

    name = "type"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = (*sorted(CONTRACTS), *OPERATIONS)
        if value not in known:
            self.fail(f"{value!r} is none of: {', '.join(known)}. {meant(value, known)}".rstrip(), param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return completions((*sorted(CONTRACTS), *OPERATIONS), incomplete)


FILTERS = (
    click.option("--order", type=KeyId(), metavar="ID", help="Only entries of this order; its last digits are enough."),
    click.option("--actor", metavar="NAME", help="Only entries of this customer, operator or process."),
    click.option("--correlation", type=click.UUID, metavar="ID", help="Only entries of one request and its effects."),
    click.option(
        "--type", "type_", type=KnownType(), help="Only this contract, or an operator's action such as operator.skip."
    ),
    click.option("--since", type=Moment(), help="Only entries at or after this time (ISO 8601, or an age such as 5m)."),
    click.option("--until", type=Moment(), help="Only entries before this time."),
)


def filter_options(command: Command) -> Command:
    for option in reversed(FILTERS):
        command = option(command)
    return command


def asked(order: UUID | None, type_: str | None, **others: Any) -> TrailFilter:
    return TrailFilter(order=str(order) if order else None, type=type_, **others)


@contextmanager
def opened_trail(application: Application, wanted: TrailFilter) -> Iterator[Trail]:
    """The trail over all databases that answer; stderr names those that do not.

    Raises:
        Failed: nothing is known of the order, or the read side does not answer.
    """
    others = [service.database for service in application.services if not service.is_read_side]
    urls = {database: application.database_url(database, OWNER) for database in others}
    with connected(application, projections, OWNER) as read_side, ExitStack() as stack:
        found, missing = connect_available(stack, urls, OPERATOR)
        connections = {projections.database: read_side, **found}
        if missing:
            click.echo(incomplete_notice(missing), err=True)
        if wanted.order and not is_known(connections, wanted.order):
            raise Failed(
                f"Nothing is known of order {wanted.order}. Check the id; it is the one that POST /orders answered."
            )
        yield Trail(connections)
