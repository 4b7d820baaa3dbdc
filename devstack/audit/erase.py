"""`ordersaga audit erase`: make a customer's personal data unreadable, wherever it has been copied to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from psycopg import Connection

from devstack.audit.found import CONTACTS, NOT_TOUCHED_LINES, Found, report, report_again
from devstack.databases import connected
from devstack.environment import Environments
from devstack.options import environments_of_running, state_option
from devstack.processes import GROUPS, READ_SIDE
from devstack.servers.postgres import OWNER
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import actor_option, json_option
from ordersaga.privacy import erasure
from ordersaga.privacy.erasure import Erasure, Erasures


@click.command()
@state_option
@click.argument("customer", required=False)
@click.option("--reason", default="", help="Why, for the record. Needed, but for --again.")
@actor_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--again", is_flag=True, help="After a restore: erase again every key that the list of erasures names.")
@json_option
def erase(state: State, customer: str | None, reason: str, actor: str, yes: bool, again: bool, as_json: bool) -> None:
    """Make the personal data of CUSTOMER (the subject of their tokens) unreadable. This cannot be undone.

    It erases the keys that the data is sealed with. Events, and the hash chain over them, stay as they are. Erasing
    again changes nothing; an order placed afterwards is kept under a new key. Exit code 0 also when there is nothing
    to erase.
    """
    if again == bool(customer) or (customer and not reason.strip()):
        raise click.UsageError("Say whose data and why: CUSTOMER --reason TEXT; or --again alone.")
    if not (reason + actor).isprintable():
        raise click.UsageError("Reason and actor must be printable text on one line.")
    environments = environments_of_running(state)
    erasures = Erasures(environments.erasure_list())
    if not customer:
        return report_again(erase_all_again(environments, erasures), as_json)
    found = look(environments, customer)
    if found.keys and not yes:
        click.echo("\n".join((found.text(), CONTACTS, *NOT_TOUCHED_LINES)), err=True)
        click.confirm("Erase?", abort=True, err=True)
    erased = {}
    for name in found.keys:
        with erasing(environments, name) as connection:
            erased[name] = erasure.erase(connection, customer, actor, reason.strip(), erasures)
            forget_row_versions(connection)
    report(found, erased, erasures, as_json, told=not yes)
    return None


@contextmanager
def erasing(environments: Environments, database: str) -> Iterator[Connection[Any]]:
    """Raises Failed also when the list of erasures cannot be written."""
    try:
        with connected(environments, database, OWNER, "What was erased elsewhere stays erased; run it again.") as found:
            yield found
    except OSError as error:
        raise Failed(f"Nothing was erased in {database}: the list of erasures cannot be written: {error}.") from error


def look(environments: Environments, customer: str) -> Found:
    found = Found(customer, orders_of(environments.database_url(READ_SIDE, OWNER), customer))
    for database in GROUPS:
        with erasing(environments, database) as connection:
            if number := erasure.count(connection, customer):
                found.keys[database] = number
            if before := erasure.latest(connection, customer):
                found.before[database] = before
    return found


def orders_of(url: str, customer: str) -> int | None:
    """None when the read side is away: that keeps nobody from erasing."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute("select count(*) from saga_view where customer = %s", (customer,)).fetchone()
    except psycopg.Error:
        return None
    return int(row[0]) if row else None


def forget_row_versions(connection: Connection[Any]) -> None:
    """An update leaves the row as it was, key and all, in the table's file until a vacuum."""
    connection.execute("vacuum personal_keys")


def erase_all_again(environments: Environments, erasures: Erasures) -> dict[str, list[Erasure]]:
    listed, repeated = list(erasures), {}
    for database in GROUPS:
        with erasing(environments, database) as connection:
            repeated[database] = erasure.erase_again(connection, listed)
            if repeated[database]:
                forget_row_versions(connection)
    return repeated
