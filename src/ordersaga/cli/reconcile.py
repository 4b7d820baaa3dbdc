"""`ordersaga reconcile`: name every message that is not where it must be."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import click
import psycopg

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.cli.ids import KeyId
from ordersaga.cli.live_line import LiveLine, live_line
from ordersaga.cli.options import Moment, json_option
from ordersaga.cli.paused import pauses
from ordersaga.cli.text import printable
from ordersaga.reconcile.reconcile import PATIENCE, ReconcileTotals, Reconciliation
from ordersaga.relay.settings import RelaySettings
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.settings import read_settings


@click.command()
@json_option
@click.option(
    "--since",
    type=Moment(),
    metavar="TIME",
    help="Report only what happened since then (ISO 8601, or an age such as 5m).",
)
@click.option("--key", type=KeyId(), help="Compare only the messages of this key, and the events of its aggregate.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long a message that is still under way may take before it is a finding.",
)
@click.pass_obj
def reconcile(
    application: Application, as_json: bool, since: datetime | None, key: UUID | None, patience: float
) -> None:
    """Compare event stores, outboxes, inboxes and parked messages; name what is not where it must be.

    Finds messages that are missing, unexpected, duplicated in effect, parked or undeliverable, events that are missing
    or altered, and snapshots of aggregates that are not what their events give.
    It only reads. Exit code 0 when there is nothing to find, else 1.
    """
    output = FindingsOutput(as_json)
    for group, pause in pauses(application, application.services).items():
        click.echo(printable(f"{group} is {pause}. What waits in its queues is named as missing."), err=True)
    with live_line("taking snapshots") as line:
        totals = compare(application, output, since, key, patience, line)
    output.end({"events": totals.events, "messages": totals.messages}, lines(totals))
    raise SystemExit(1 if totals.findings else 0)


def compare(
    application: Application,
    output: FindingsOutput,
    since: datetime | None,
    key: UUID | None,
    patience: float,
    line: LiveLine,
) -> ReconcileTotals:
    """Raises Failed when a database does not answer or is not migrated."""
    settings = read_settings(RelaySettings)
    try:
        totals = Reconciliation(
            application.services,
            application.owner_urls(),
            output.finding,
            since=since,
            key=key,
            patience=patience,
            retention=timedelta(hours=settings.relay_retention_hours),
            inbox_retention=timedelta(days=settings.inbox_retention_days),
            progress=lambda totals: line.show(progress(totals, line)),
        ).run()
    except psycopg.Error as error:
        raise Failed(f"A database could not be read: {reason_of(error)}. {remedy_of(error)}") from error
    if key and not totals.messages:
        raise Failed(f"Nothing is known of key {key}. Check the id.")
    return totals


def progress(totals: ReconcileTotals, line: LiveLine) -> str:
    done = f"{totals.events:,} events read, {totals.messages:,} messages compared"
    return f"{done} ({line.rate(totals.events + totals.messages)}), {totals.findings} findings"


def lines(totals: ReconcileTotals) -> Iterator[str]:
    verdict = f"Findings: {totals.findings}" if totals.findings else "Clean"
    yield f"{verdict}. {totals.events} events and {totals.messages} messages compared."
