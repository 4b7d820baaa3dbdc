"""`ordersaga relay redrive`: let the active relay try undeliverable messages again now."""

import sys
import time
from uuid import UUID

import click

from devstack import processes
from devstack.databases import connected
from devstack.environment import Environments
from devstack.options import actor_option, environments_of_running, json_option, reason_option, state_option
from devstack.relay.undeliverable import service_option
from devstack.state import State
from devstack.text import to_json
from ordersaga.cli.errors import Failed
from ordersaga.relay import operations, progress
from ordersaga.relay.operations import Operator, Selection
from ordersaga.relay.undeliverable import KINDS

LOOK_EVERY = 0.2


@click.command(short_help="Let the relay try undeliverable messages again now.")
@state_option
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
def redrive(
    state: State,
    service: str | None,
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
    environments = environments_of_running(state)
    selection = Selection(messages, key, kind, everything)
    due: dict[str, list[UUID]] = {}
    relays: dict[str, bool] = {}
    for name in [service] if service else processes.SERVICES:
        with connected(environments, name, processes.RELAY_ROLE) as connection:
            due[name] = operations.redrive(connection, selection, Operator(actor, reason))
            relays[name] = progress.relays(connection)[0] is not None
    if messages and not any(due.values()):
        raise Failed("None of these messages is undeliverable. `./ordersaga relay undeliverable` lists those that are.")
    left = wait_for(environments, due, wait) if wait else {}
    report(due, relays, left, waited=bool(wait), as_json=as_json)
    raise SystemExit(1 if any(left.values()) else 0)


Left = dict[str, list[tuple[UUID, str, int]]]


def wait_for(environments: Environments, due: dict[str, list[UUID]], seconds: float) -> Left:
    """Those that are not taken when the time is over, by service."""
    end = time.monotonic() + seconds
    while True:
        left: Left = {}
        for name, ids in due.items():
            with connected(environments, name, processes.RELAY_ROLE) as connection:
                left[name] = operations.still_there(connection, ids)
        number = sum(map(len, left.values()))
        if not number or time.monotonic() > end:
            return left
        if sys.stderr.isatty():
            click.echo(f"\r{number} not taken yet ", nl=False, err=True)
        time.sleep(LOOK_EVERY)


def report(due: dict[str, list[UUID]], relays: dict[str, bool], left: Left, waited: bool, as_json: bool) -> None:
    if as_json:
        still = [
            {"service": name, "message_id": id_, "reason": reason, "attempts": attempts}
            for name, rows in left.items()
            for id_, reason, attempts in rows
        ]
        print(to_json({"due": due, "not_taken": still if waited else None}))
        return
    for name, ids in due.items():
        if ids:
            print(
                f"{name}: {len(ids)} {'key is' if len(ids) == 1 else 'keys are'} tried again from the first message on"
            )
            if not relays[name]:
                print(f"{name}: {progress.NO_RELAY}")
    for name, rows in left.items():
        for id_, reason, attempts in rows:
            print(f"{name}: {id_} is not taken (attempts: {attempts}): {reason}")
    if not any(due.values()):
        print("Nothing to do: no such message is undeliverable.")
    elif waited and not any(left.values()):
        print("The broker has taken them; what waited behind them follows.")
