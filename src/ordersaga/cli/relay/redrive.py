"""`ordersaga relay redrive`: let the active relay try undeliverable messages again now."""

import sys
import time
from uuid import UUID

import click

from ordersaga.cli.app import RELAY, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, run_this
from ordersaga.cli.options import actor_option, json_option, reason_option, service_option
from ordersaga.cli.text import to_json
from ordersaga.relay import operations, status
from ordersaga.relay.operations import Operator, Selection
from ordersaga.relay.undeliverable import KINDS
from ordersaga.service import Service

LOOK_EVERY = 0.2


@click.command(short_help="Let the relay try undeliverable messages again now.")
@service_option
@click.argument("messages", nargs=-1, type=click.UUID, metavar="[MESSAGE]...")
@click.option("--key", help="Those of this key.")
@click.option("--kind", type=click.Choice([kind for kind in KINDS if kind != "waits"]), help="Those refused so.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait, and say what came of it."
)
@actor_option
@reason_option
@json_option
@click.pass_obj
def redrive(
    application: Application,
    service: Service | None,
    messages: tuple[UUID, ...],
    key: str | None,
    kind: str | None,
    everything: bool,
    wait: float,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make undeliverable messages due now, with their attempts anew; the active relay publishes them within a second.

    Of each key it is the first message that is tried; when it is taken, those behind it follow in order. Mend the cause
    first: bind the queue, make room in it, or start the relays with a larger RELAY_MAX_MESSAGE_BYTES. With --wait the
    exit code is 1 when one of them is still not taken.
    """
    if bool(messages) + bool(key) + bool(kind) + everything != 1:
        raise click.UsageError("Say which: message ids, or --key KEY, or --kind KIND, or --all.")
    selection = Selection(messages, key, kind, everything)
    due: Due = {}
    relays: dict[Service, bool] = {}
    for each in [service] if service else application.with_outbox:
        with connected(application, each, RELAY) as connection:
            due[each] = operations.redrive(connection, selection, Operator(actor, reason))
            relays[each] = status.relays(connection)[0] is not None
    if messages and not any(due.values()):
        advice = f"{run_this('relay undeliverable')} lists those that are."
        raise Failed(f"None of these messages is undeliverable. {advice}")
    left = wait_for(application, due, wait) if wait else {}
    report(due, relays, left, waited=bool(wait), as_json=as_json)
    raise SystemExit(1 if any(left.values()) else 0)


Due = dict[Service, list[UUID]]
Left = dict[Service, list[tuple[UUID, str, int]]]


def wait_for(application: Application, due: Due, seconds: float) -> Left:
    """Those that are not taken when the time is over, by service."""
    end = time.monotonic() + seconds
    while True:
        left: Left = {}
        for service, ids in due.items():
            with connected(application, service, RELAY) as connection:
                left[service] = operations.still_there(connection, ids)
        number = sum(map(len, left.values()))
        if not number or time.monotonic() > end:
            return left
        if sys.stderr.isatty():
            click.echo(f"\r{number} not taken yet ", nl=False, err=True)
        time.sleep(LOOK_EVERY)


def report(due: Due, relays: dict[Service, bool], left: Left, waited: bool, as_json: bool) -> None:
    if as_json:
        still = [
            {"service": service.name, "message_id": id_, "reason": reason, "attempts": attempts}
            for service, rows in left.items()
            for id_, reason, attempts in rows
        ]
        named = {service.name: ids for service, ids in due.items()}
        click.echo(to_json({"due": named, "not_taken": still if waited else None}))
        return
    for service, ids in due.items():
        if ids:
            keys = "key is" if len(ids) == 1 else "keys are"
            click.echo(f"{service.name}: {len(ids)} {keys} tried again from the first message on")
            if not relays[service]:
                click.echo(f"{service.name}: {status.NO_RELAY}")
    for service, rows in left.items():
        for id_, reason, attempts in rows:
            click.echo(f"{service.name}: {id_} is not taken (attempts: {attempts}): {reason}")
    if not any(due.values()):
        click.echo("Nothing to do: no such message is undeliverable.")
    elif waited and not any(left.values()):
        click.echo("The broker has taken them; what waited behind them follows.")
