"""What the audit's commands share: filters, the trail, the log and its key."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from contracts import CONTRACTS
from devstack.databases import SECONDS, all_connected
from devstack.environment import audit_directory
from devstack.keys import AUDIT_FILE, audit_key_pem
from devstack.options import environments_of_running
from devstack.processes import READ_SIDE
from devstack.state import State
from ordersaga.audit.note import Signer, VerifierKey
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import Moment
from projections.audit.sources import those_that_answer, without
from projections.audit.trail import OPERATIONS, Filter, Trail, is_known

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


log_option = click.option(
    "--log",
    "log_directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the sealer keeps leaves and checkpoints.  [default: audit in the state directory]",
)


def asked(order: UUID | None, type_: str | None, **others: Any) -> Filter:
    return Filter(order=str(order) if order else None, type=type_, **others)


def directory_of(state: State, given: Path | None) -> Path:
    return given or audit_directory(state)


def key_of(state: State) -> VerifierKey:
    """Raises Failed where no stack has run."""
    if not (state.directory / AUDIT_FILE).exists():
        raise Failed(f"No audit key is in {state.directory}: no stack has run there. Give the public key with --key.")
    return Signer.from_pem(audit_key_pem(state)).verifier


@contextmanager
def opened_trail(state: State, wanted: Filter) -> Iterator[Trail]:
    """Over all databases that answer; what is left out without the others is said on stderr.

    Raises:
        Failed: nothing is known of the order, or the read side does not answer.
    """
    environments = environments_of_running(state)
    others = {name: url for name, url in environments.owner_urls().items() if name != READ_SIDE}
    with all_connected(environments, READ_SIDE) as connections, ExitStack() as stack:
        found, missing = those_that_answer(stack, others, SECONDS)
        connections |= found
        if missing:
            click.echo(without(missing), err=True)
        if wanted.order and not is_known(connections, wanted.order):
            raise Failed(
                f"Nothing is known of order {wanted.order}. Check the id; it is the one that POST /orders answered."
            )
        yield Trail(connections)
