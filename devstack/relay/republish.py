"""`ordersaga relay republish`: refill a lost broker from the event stores."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
import psycopg
from rich.console import Console
from rich.progress import Progress

from devstack import processes
from devstack.options import Moment, environments_of_running, json_option, state_option
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.store.republish import announce_again, count_events
from projections.sources import SOURCES

MARGIN = timedelta(hours=1)
"""Between reading an event and its arrival no inbox may forget it."""


@click.command(short_help="Refill a broker that lost messages, from the event stores.")
@state_option
@click.argument("services", nargs=-1, type=click.Choice(processes.SERVICES), metavar="[SERVICE]...")
@click.option("--since", type=Moment(), help="Only what was recorded at or after this time (ISO 8601, UTC).")
@click.option("--order", type=click.UUID, help="Only the messages of this order.")
@json_option
def republish(
    state: State, services: tuple[str, ...], since: datetime | None, order: UUID | None, as_json: bool
) -> None:
    """Announce again what SERVICEs have recorded; the relays publish it.

    For a broker that lost its messages: declare its topology first. The messages are derived from the event stores
    and have the ids they had, so consumers that know them drop them. What was lost arrives behind what was announced
    since. It goes back as far as the inboxes remember (INBOX_RETENTION_DAYS): anything older would take effect twice.
    Without --since and --order it is all of that, of all three services. Interrupted, it may be run again. An event
    that cannot be read is named and passed over, and the exit code is 1.
    """
    since = remembered_since(since)
    environments = environments_of_running(state)
    written: dict[str, int] = {}
    unreadable: list[str] = []
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        for service in services or processes.SERVICES:
            url = environments.database_url(service, service)
            try:
                written[service] = of_service(
                    service, url, since, str(order) if order else None, shown, unreadable.append
                )
            except psycopg.Error as error:
                raise Failed(f"{service} could not be announced again: {error}. Run the command again.") from None
    if as_json:
        print(json.dumps({"announced": written, "unreadable": unreadable}))
    else:
        print("\n".join(f"{service:20}{number:>10} messages announced again" for service, number in written.items()))
    if unreadable:
        named = "\n".join(f"  {event}" for event in unreadable)
        raise Failed(f"{len(unreadable)} events cannot be read and were not announced again:\n{named}")


def remembered_since(since: datetime | None) -> datetime:
    """From when on a repeat is known everywhere as one. Raises Failed for a time before that."""
    days = read_settings(Settings).inbox_retention_days
    earliest = datetime.now(UTC) - timedelta(days=days) + MARGIN
    if since and since < earliest:
        raise Failed(
            f"Inboxes remember messages for {days:g} days (INBOX_RETENTION_DAYS); what is older would take effect "
            f"twice. Take a time after {earliest:%Y-%m-%dT%H:%MZ}."
        )
    return since or earliest


def of_service(
    service: str,
    url: str,
    since: datetime | None,
    key: str | None,
    shown: Progress,
    unreadable: Callable[[str], None],
) -> int:
    """How many messages were announced again."""
    announcements = SOURCES[service].announcements
    total = 0
    with psycopg.connect(url, autocommit=True) as store, psycopg.connect(url, autocommit=True) as outbox:
        task = shown.add_task(service, total=count_events(store, since))
        for events, messages in announce_again(store, outbox, announcements, since, key, unreadable):
            shown.advance(task, events)
            total += messages
    return total
