"""The outcome of an action on parked messages, as text or JSON."""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.parked import display
from ordersaga.cli.parked.selection import Chosen
from ordersaga.cli.text import to_json
from ordersaga.parked import inspection
from ordersaga.parked.operator import UnknownMessage
from ordersaga.relay import status

PAUSE_SECONDS = 0.2

Row = dict[str, Any]


def wait_until_gone(application: Application, chosen: Iterable[Chosen], seconds: float) -> list[Row]:
    """Wait until no message is parked any more, or the time is over. Returns those that are."""
    end = time.monotonic() + seconds
    while True:
        left = [row for found in chosen for row in still_parked(application, found)]
        if not left or time.monotonic() > end:
            return left
        if sys.stderr.isatty():
            click.echo(f"\r{len(left)} still parked ", nl=False, err=True)
        time.sleep(PAUSE_SECONDS)


def still_parked(application: Application, chosen: Chosen) -> Iterable[Row]:
    service = chosen.service
    with connected(application, service, service.role) as connection:
        for message, refused_by in chosen.targets:
            try:
                found = inspection.summary(connection, message, refused_by)
            except UnknownMessage:
                continue
            yield {"group": service.group, **found}


def report(application: Application, done: list[Row], as_json: bool, left: list[Row] | None = None) -> None:
    """Print the new states, and after a wait the messages that are still parked."""
    if as_json:
        waited = {} if left is None else {"still_parked": left}
        click.echo(to_json({"messages": done, **waited}))
        return
    for (group, state), number in Counter((one["group"], one["state"]) for one in done).items():
        click.echo(f"{group}: {number} {display.STATES[state]}")
    for line in (*without_relay(application, done), *display.left_lines(left or [])):
        click.echo(line)
    if not done:
        click.echo("Nothing is parked.")
    elif left == []:
        click.echo("None of them is parked any more; the messages behind them follow.")


def without_relay(application: Application, done: list[Row]) -> Iterable[str]:
    """A line for each service with a due message that the broker refused and without an active relay."""
    due = {one["group"] for one in done if one["refused_by"] == "broker" and one["state"] == "retrying"}
    for service in application.services:
        if service.group in due:
            with connected(application, service, service.role) as connection:
                if status.relays(connection)[0] is None:
                    yield f"{service.group}: {status.NO_RELAY}"
