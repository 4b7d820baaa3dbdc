"""`ordersaga relay republish`: refill a lost broker from the event stores."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click
import psycopg

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import Moment, json_option, services_argument
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import OPERATOR, REPORT, connect
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.service import Service
from ordersaga.store.republish import announce_again, count_events

NAME = "ordersaga relay republish"
MARGIN = timedelta(hours=1)
"""Longest time from reading an event to its arrival; no inbox may purge its id before that."""


@click.command(short_help="Refill a broker that lost messages, from the event stores.")
@services_argument
@click.option(
    "--since",
    type=Moment(),
    metavar="TIME",
    help="Only what was recorded at or after this time (ISO 8601, or an age such as 5m).",
)
@click.option("--key", help="Only the messages of this key.")
@json_option
@click.pass_obj
def republish(
    application: Application, services: tuple[Service, ...], since: datetime | None, key: str | None, as_json: bool
) -> None:
    """Announce the recorded events of SERVICEs again; the relays publish them.

    For a broker that lost its messages: declare its topology first. The messages are derived from the event stores
    and keep their ids, so consumers that received them drop them. Lost messages arrive after the messages announced
    since. It covers the retention of the inboxes (INBOX_RETENTION_DAYS): an older message would take effect twice.
    Without --since and --key it republishes all of that, of all services. After an interruption, run it again. An
    event that cannot be read is named and skipped, and the exit code is 1.
    """
    since = within_inbox_retention(since)
    written: dict[str, int] = {}
    unreadable: list[str] = []
    for service in services or application.with_outbox:
        url = application.database_url(service.database, service.role)
        try:
            written[service.name] = of_service(service, url, since, key, unreadable.append)
        except psycopg.Error as error:
            remedy = remedy_of(error, service.role, "Run the command again.")
            raise Failed(f"{service.name} could not be announced again: {reason_of(error)}. {remedy}") from None
    if as_json:
        click.echo(json.dumps({"announced": written, "unreadable": unreadable}))
    else:
        click.echo("\n".join(f"{name:20}{number:>10} messages announced again" for name, number in written.items()))
    if unreadable:
        named = "\n".join(f"  {event}" for event in unreadable)
        raise Failed(f"{len(unreadable)} events cannot be read and were not announced again:\n{named}")


def within_inbox_retention(since: datetime | None) -> datetime:
    """`since`, or the earliest time whose messages inboxes drop as repeats. Raises Failed for an earlier one."""
    days = read_settings(Settings).inbox_retention_days
    earliest = datetime.now(UTC) - timedelta(days=days) + MARGIN
    if since and since < earliest:
        raise Failed(
            f"Inboxes remember messages for {days:g} days (INBOX_RETENTION_DAYS); an older one would take effect "
            f"twice. Take a time after {earliest:%Y-%m-%dT%H:%MZ}."
        )
    return since or earliest


def of_service(
    service: Service, url: str, since: datetime | None, key: str | None, unreadable: Callable[[str], None]
) -> int:
    """Announce the events of one service again. Returns the number of messages."""
    total = 0
    with connect(url, NAME, REPORT) as store, connect(url, NAME, OPERATOR) as outbox:
        bar = click.progressbar(
            length=count_events(store, since), label=service.name, file=sys.stderr, hidden=not sys.stderr.isatty()
        )
        with bar:
            for events, messages in announce_again(store, outbox, service.announcements, since, key, unreadable):
                bar.update(events)
                total += messages
    return total
