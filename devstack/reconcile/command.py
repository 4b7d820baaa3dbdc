"""`ordersaga reconcile`: name every message that is not where it must be."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import click
import psycopg

from devstack.application import environments_of_running
from devstack.options import state_option
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.cli.live_line import LiveLine, live_line
from ordersaga.cli.options import Moment, json_option
from ordersaga.reconcile.reconcile import PATIENCE, ReconcileTotals, Reconciliation
from ordersaga.relay.settings import RelaySettings
from ordersaga.runtime.settings import read_settings
from shop import services


@click.command()
@state_option
@json_option
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
    output = FindingsOutput(as_json)
    with live_line("taking snapshots") as line:
        totals = compare(urls, output, since, order, patience, line)
    output.end({"events": totals.events, "messages": totals.messages}, lines(totals))
    raise SystemExit(1 if totals.findings else 0)


def compare(
    urls: Mapping[str, str],
    output: FindingsOutput,
    since: datetime | None,
    order: UUID | None,
    patience: float,
    line: LiveLine,
) -> ReconcileTotals:
    """Raises Failed when a database does not answer or is not migrated."""
    settings = read_settings(RelaySettings)
    try:
        totals = Reconciliation(
            services,
            urls,
            output.finding,
            since=since,
            key=order,
            patience=patience,
            retention=timedelta(hours=settings.relay_retention_hours),
            inbox_retention=timedelta(days=settings.inbox_retention_days),
            progress=lambda totals: line.show(under_way(totals, line)),
        ).run()
    except psycopg.Error as error:
        raise Failed(f"A database could not be read: {error}. Is the stack up and migrated?") from error
    if order and not totals.messages:
        raise Failed(f"Nothing is known of order {order}. Check the id; it is the one that POST /orders answered.")
    return totals


def under_way(totals: ReconcileTotals, line: LiveLine) -> str:
    done = f"{totals.events:,} events read, {totals.messages:,} messages compared"
    return f"{done} ({line.rate(totals.events + totals.messages)}), {totals.findings} findings"


def lines(totals: ReconcileTotals) -> Iterator[str]:
    verdict = f"Findings: {totals.findings}" if totals.findings else "Clean"
    yield f"{verdict}. {totals.events} events and {totals.messages} messages compared."
