"""`ordersaga audit state`: an order as it was."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from devstack.databases import all_connected
from devstack.options import environments_of_running, state_option
from devstack.processes import READ_SIDE
from devstack.state import State
from order_service.service import order_service
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import Moment, json_option
from ordersaga.store.history import load_as_of
from projections.audit.known import saga_as_of
from projections.audit.text import as_text, fields

SERVICE = order_service.name


class VersionOrTime(click.ParamType[int | datetime]):
    """A version such as 2, or a time."""

    name = "version or time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        if value.isascii() and value.isdigit():
            if not 0 < int(value) < 1 << 63:
                self.fail("versions begin at 1", param, ctx)
            return int(value)
        return Moment().convert(value, param, ctx)


@click.command("state")
@state_option
@click.argument("order", type=click.UUID)
@click.option("--as-of", type=VersionOrTime(), required=True, help="A version of the order, or a time (ISO 8601, UTC).")
@json_option
def state_as_of(state: State, order: UUID, as_of: int | datetime, as_json: bool) -> None:
    """Print what the order service had recorded of ORDER, and for a time also what everybody had said of it."""
    at: dict[str, Any] = {"time": as_of} if isinstance(as_of, datetime) else {"version": as_of}
    with all_connected(environments_of_running(state), SERVICE, READ_SIDE) as connections:
        recorded = load_as_of(connections[SERVICE], order, **at)
        known = saga_as_of(connections[READ_SIDE], order, as_of) if isinstance(as_of, datetime) else None
    if recorded is None and known is None:
        raise Failed(f"There was nothing of order {order} at {as_of}. Check the id and the moment.")
    if as_json:
        print(json.dumps({"recorded": fields(recorded), "known": known}, default=as_text))
    else:
        for title, values in (("Recorded by the order service", fields(recorded)), ("Known of the saga", known)):
            if values:
                print(title)
                print("\n".join(f"  {name:14}{shown(value)}" for name, value in values.items() if value is not None))


def shown(value: Any) -> str:
    return json.dumps(value, default=as_text) if isinstance(value, (list, dict, tuple)) else as_text(value)
