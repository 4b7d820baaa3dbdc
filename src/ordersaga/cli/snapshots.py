"""`ordersaga snapshots check | drop`: snapshots of aggregates, which are derived from events and may be dropped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from psycopg import IsolationLevel

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.ids import KeyId
from ordersaga.cli.options import json_option, services_argument
from ordersaga.cli.text import printable, to_json
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.replay import compare_snapshots
from ordersaga.service import Service
from ordersaga.store import snapshots as stored
from ordersaga.store.fingerprint import of_all_aggregates, without_source

aggregate_option = click.option("--aggregate", type=KeyId(), metavar="ID", help="Of this aggregate only.")


@click.group()
def snapshots() -> None:
    """Compare the snapshots of aggregates with their events, or drop them.

    A snapshot is a copy of what the events say, so that a long history need not be read. A snapshot that other code
    took is ignored by itself: a changed rule needs no command.
    """


@snapshots.command(short_help="Name each snapshot that is not what the events give.")
@services_argument
@aggregate_option
@json_option
@click.pass_obj
def check(application: Application, services: tuple[Service, ...], aggregate: UUID | None, as_json: bool) -> None:
    """Replay the events behind each snapshot that this code uses, and name the snapshots that differ.

    It only reads. Exit code 0 when none differs, else 1. USED and IGNORED count the snapshots that this code took, and
    those that other code took.
    """
    found = [state_of(application, service, aggregate) for service in services or application.with_outbox]
    if as_json:
        click.echo(to_json({"services": found, "without_source": without_source()}))
    else:
        click.echo("\n".join([*table(found), *map(no_snapshots, without_source())]))
    raise SystemExit(1 if any(each["findings"] for each in found) else 0)


def no_snapshots(aggregate: str) -> str:
    return f"{aggregate} gets no snapshots: its source cannot be read, so nobody can tell which code took one"


def state_of(application: Application, service: Service, aggregate: UUID | None) -> dict[str, Any]:
    findings: list[str] = []

    def report(finding: ReconcileFinding, _: datetime) -> None:
        findings.append(finding.detail)

    with connected(application, service, OWNER) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            compare_snapshots(service.name, connection, aggregate, report)
            counted = stored.count(connection, of_all_aggregates(), aggregate)
    return {"service": service.name, **counted._asdict(), "findings": findings}


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = [f"{'SERVICE':24}{'USED':>8}{'IGNORED':>9}{'DIFFER':>8}"]
    for each in found:
        lines.append(f"{each['service']:24}{each['used']:>8}{each['ignored']:>9}{len(each['findings']):>8}")
        lines += [f"  {printable(finding)}" for finding in each["findings"]]
    return lines


@snapshots.command(short_help="Delete snapshots; they are taken again.")
@services_argument
@aggregate_option
@click.option("--ignored", is_flag=True, help="Only those that other code took, once no process of it runs any more.")
@json_option
@click.pass_obj
def drop(
    application: Application, services: tuple[Service, ...], aggregate: UUID | None, ignored: bool, as_json: bool
) -> None:
    """Delete the snapshots of all services, or of those named, while everything runs. No event is touched.

    The next load of an aggregate replays all its events, and its next change takes a snapshot.
    """
    dropped = {}
    for service in services or application.with_outbox:
        with connected(application, service, OWNER) as connection:
            dropped[service.name] = stored.drop(connection, aggregate, of_all_aggregates() if ignored else None)
    if as_json:
        click.echo(to_json({"dropped": dropped}))
    else:
        click.echo("\n".join(f"{name}: {number} snapshots dropped" for name, number in dropped.items()))
