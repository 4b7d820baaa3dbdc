"""`ordersaga relay undeliverable | discard`: see what the broker did not take, and give a message up."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

import click

from ordersaga.cli.app import RELAY, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, run_this
from ordersaga.cli.options import actor_option, json_option, reason_option, service_option
from ordersaga.cli.text import ago, to_json
from ordersaga.relay import operations
from ordersaga.relay.operations import Operator, Row, UnknownMessage
from ordersaga.service import Service

LONGEST_LIST = 100


@click.command(short_help="List what the broker did not take.")
@service_option
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="The oldest.")
@json_option
@click.pass_obj
def undeliverable(application: Application, service: Service | None, limit: int, as_json: bool) -> None:
    """List messages that the broker did not take, and those that wait behind them, in order.

    KIND is nacked (a queue refused it), returned (no queue is bound for it), too_large, or waits (for an earlier
    message of its key). The active relay tries the first of each key again; one that is too large waits for `redrive`.
    """
    found: dict[str, list[Row]] = {}
    for each in [service] if service else application.with_outbox:
        with connected(application, each, RELAY) as connection:
            found[each.name] = operations.undeliverable(connection, limit)
    if as_json:
        messages = [{"service": name, **asdict(row)} for name, rows in found.items() for row in rows]
        click.echo(to_json({"undeliverable": messages}))
    else:
        click.echo("\n".join(table(found)))


def table(found: dict[str, list[Row]]) -> list[str]:
    """A line for each message, and below it why the first of a key is not taken."""
    if not any(found.values()):
        return ["Nothing is undeliverable."]
    lines = [f"{'MESSAGE':38}{'SERVICE':20}{'KIND':11}{'SINCE':12}{'ATTEMPTS':>8}  {'NEXT':9}{'KEY':38}CONTRACT"]
    for name, rows in found.items():
        for row in rows:
            columns = f"{row.kind:11}{ago(row.refused_at):12}{row.attempts:>8}  {next_attempt(row):9}"
            lines.append(f"{row.message_id!s:38}{name:20}{columns}{row.key:38}{row.contract}")
            if row.kind != "waits":
                lines.append(f"  {row.reason}")
    return lines


def next_attempt(row: Row) -> str:
    if row.next_attempt_at is None:
        return "in turn" if row.kind == "waits" else "by hand"
    seconds = (row.next_attempt_at - datetime.now(UTC)).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else "now"


@click.command(short_help="Give one undeliverable message up; its key goes on.")
@service_option
@click.argument("message", type=click.UUID)
@actor_option
@reason_option
@json_option
@click.pass_obj
def discard(
    application: Application, service: Service | None, message: UUID, actor: str, reason: str, as_json: bool
) -> None:
    """Never publish this message; what waits behind it goes on. It is kept in `undeliverable_actions`.

    The event that it tells of stays recorded, so `reconcile` will name the message as missing where it was to be
    heard, and `relay republish` would announce it again.
    """
    for each in [service] if service else application.with_outbox:
        with connected(application, each, RELAY) as connection:
            try:
                operations.discard(connection, message, Operator(actor, reason))
            except UnknownMessage:
                continue
        done = {"service": each.name, "message_id": str(message), "state": "discarded"}
        click.echo(
            json.dumps(done) if as_json else f"{each.name}: {message} is discarded; its key goes on within a second"
        )
        return
    raise Failed(f"Message {message} is not undeliverable. {run_this('relay undeliverable')} lists those that are.")
