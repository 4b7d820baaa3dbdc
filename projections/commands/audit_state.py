"""`./ordersaga audit state`: an order as it was."""

from datetime import datetime
from uuid import UUID

import click

from order_service.service import order_service
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.audit.options import VersionOrTime
from ordersaga.cli.audit.state import lines, recorded_as_of
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import KeyId
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json
from projections.audit.past_saga import saga_as_of
from projections.service import projections


@click.command()
@click.argument("order", type=KeyId())
@click.option("--as-of", type=VersionOrTime(), required=True, help="A version of the order, or a time (ISO 8601, UTC).")
@json_option
@click.pass_obj
def state(application: Application, order: UUID, as_of: int | datetime, as_json: bool) -> None:
    """Print what the order service had recorded of ORDER; for a time also its row on the read side."""
    recorded = recorded_as_of(application, order_service, order, as_of)
    known = None
    if isinstance(as_of, datetime):
        with connected(application, projections, OWNER) as connection:
            known = saga_as_of(connection, order, as_of)
    if recorded is None and known is None:
        raise Failed(f"There was nothing of order {order} at {as_of}. Check the id and the moment.")
    if as_json:
        click.echo(to_json({"recorded": recorded, "known": known}))
        return
    for title, values in (("Recorded by the order service", recorded), ("On the read side", known)):
        if values:
            click.echo("\n".join([title, *lines(values)]))
