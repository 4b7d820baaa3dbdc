"""`ordersaga reconcile`: name every message that is not where it must be."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import click
import psycopg
from rich.console import Console
from rich.status import Status

from messaging.settings import read_settings
from relay.settings import RelaySettings
from stack.errors import Failed
from stack.options import Moment, environments_of_running, state_option
from stack.reconcile.findings import Finding
from stack.reconcile.reconcile import PATIENCE, Reconciliation, Totals
from stack.state import State

SAY_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


class Printed:
    """Findings as they come, as lines or as the items of one JSON object: none is kept."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._between = '{"findings": ['

    def finding(self, finding: Finding) -> None:
        if self._as_json:
            print(self._between + json.dumps(asdict(finding), default=str), end="")
            self._between = ", "
        else:
            print(finding)

    def end(self, totals: Totals) -> None:
        if self._as_json:
            counted = {"clean": not totals.findings, "events": totals.events, "messages": totals.messages}
            opened = "" if totals.findings else self._between
            print(f"{opened}], {json.dumps(counted)[1:]}")
        else:
            verdict = f"Findings: {totals.findings}" if totals.findings else "Clean"
            print(f"{verdict}. {totals.events} events and {totals.messages} messages compared.")


class Progress:
    """A live line in a terminal, else a line every few seconds; on stderr, so that stdout stays the answer."""

    def __init__(self, status: Status, console: Console) -> None:
        self._status = status
        self._console = console
        self._began = self._said = time.monotonic()

    def show(self, totals: Totals) -> None:
        now = time.monotonic()
        rate = (totals.events + totals.messages) / max(now - self._began, 0.001)
        text = f"{totals.events:,} events read, {totals.messages:,} messages compared ({rate:,.0f}/s), "
        text += f"{totals.findings} findings"
        if self._console.is_terminal:
            self._status.update(text)
        elif now - self._said > SAY_EVERY:
            self._said = now
            self._console.print(text, highlight=False)


@click.command()
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--since", type=Moment(), metavar="TIME", help="Report only what happened since then (ISO 8601, UTC).")
@click.option("--order", type=click.UUID, metavar="ID", help="Look only at the messages of one order.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long a message that is still under way may take before it is a finding.",
)
def reconcile(state: State, as_json: bool, since: datetime | None, order: UUID | None, patience: float) -> None:
    """Compare event stores, outboxes, inboxes and parked messages; name what is not where it must be.

    Finds messages that are missing, unexpected, duplicated in effect, parked or undeliverable, and events that are
    missing or altered. It only reads. Exit code 0 when there is nothing to find, else 1.
    """
    urls = environments_of_running(state).owner_urls()
    console = Console(stderr=True)
    with console.status("taking snapshots") as status:
        progress = Progress(status, console)
        totals = compare(urls, Printed(as_json), since, order, patience, progress)
    raise SystemExit(1 if totals.findings else 0)


def compare(
    urls: Mapping[str, str],
    printed: Printed,
    since: datetime | None,
    order: UUID | None,
    patience: float,
    progress: Progress,
) -> Totals:
    """Raises Failed when a database does not answer or is not migrated."""
    settings = read_settings(RelaySettings)
    try:
        totals = Reconciliation(
            urls,
            printed.finding,
            since=since,
            order=order,
            patience=patience,
            retention=timedelta(hours=settings.relay_retention_hours),
            inbox_retention=timedelta(days=settings.inbox_retention_days),
            progress=progress.show,
        ).run()
    except psycopg.Error as error:
        raise Failed(f"A database could not be read: {error}. Is the stack up and migrated?") from error
    if order and not totals.messages:
        raise Failed(f"Nothing is known of order {order}. Check the id; it is the one that POST /orders answered.")
    printed.end(totals)
    return totals
