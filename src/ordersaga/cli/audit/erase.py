"""`ordersaga audit erase`: make a person's personal data unreadable, wherever it has been copied to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from psycopg import Connection

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.audit.erase_report import ERASED, Erasable, not_touched_lines, report, report_again
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import actor_option, json_option
from ordersaga.privacy import erasure
from ordersaga.privacy.erasure import Erasure, Erasures
from ordersaga.service import Service


@click.command()
@click.argument("subject", required=False)
@click.option("--reason", default="", help="Why, for the record. Needed, but for --again.")
@actor_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--again", is_flag=True, help="After a restore: erase again every key that the list of erasures names.")
@json_option
@click.pass_obj
def erase(
    application: Application, subject: str | None, reason: str, actor: str, yes: bool, again: bool, as_json: bool
) -> None:
    """Make the personal data of SUBJECT (the subject of their tokens) unreadable. This cannot be undone.

    It erases the keys that seal the data. Events, and the hash chain over them, stay unchanged. Erasing again changes
    nothing; later data is sealed with a new key. Exit code 0 also when there is nothing to erase.
    """
    if again == bool(subject) or (subject and not reason.strip()):
        raise click.UsageError("Say whose data and why: SUBJECT --reason TEXT; or --again alone.")
    if not (reason + actor).isprintable():
        raise click.UsageError("Reason and actor must be printable text on one line.")
    erasures = Erasures(application.erasure_list())
    if not subject:
        return report_again(erase_all_again(application, erasures), as_json)
    found = find_erasable(application, subject)
    if found.keys and not yes:
        click.echo("\n".join((found.text(), ERASED, *not_touched_lines(application))), err=True)
        click.confirm("Erase?", abort=True, err=True)
    erased = {}
    for service in application.services:
        if service.database in found.keys:
            with erasing(application, service) as connection:
                erased[service.database] = erasure.erase(connection, subject, actor, reason.strip(), erasures)
                vacuum_keys(connection)
    return report(application, found, erased, erasures, as_json, announced=not yes)


@contextmanager
def erasing(application: Application, service: Service) -> Iterator[Connection[Any]]:
    """A connection to erase with. Raises Failed, also when the list of erasures cannot be written."""
    try:
        with connected(application, service, OWNER, "What was erased elsewhere stays erased; run it again.") as found:
            yield found
    except OSError as error:
        raise Failed(
            f"Nothing was erased in {service.database}: the list of erasures cannot be written: {error}."
        ) from error


def find_erasable(application: Application, subject: str) -> Erasable:
    found = Erasable(subject, application.facts_about(subject))
    for service in application.services:
        with erasing(application, service) as connection:
            if number := erasure.count(connection, subject):
                found.keys[service.database] = number
            if before := erasure.latest(connection, subject):
                found.before[service.database] = before
    return found


def vacuum_keys(connection: Connection[Any]) -> None:
    """Remove the old rows: an update leaves them, with the keys, in the table's file until a vacuum."""
    connection.execute("vacuum personal_keys")


def erase_all_again(application: Application, erasures: Erasures) -> dict[str, list[Erasure]]:
    listed, repeated = list(erasures), {}
    for service in application.services:
        with erasing(application, service) as connection:
            repeated[service.database] = erasure.erase_again(connection, listed)
            if repeated[service.database]:
                vacuum_keys(connection)
    return repeated
