"""`ordersaga migrate`: bring databases up to date."""

from typing import cast

import click
import psycopg
from sqlalchemy.exc import DBAPIError

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import OneOfServices, json_option
from ordersaga.cli.text import to_json
from ordersaga.database.migrate import UnknownSchema
from ordersaga.database.migrate import migrate as migrate_database
from ordersaga.privacy.erasure import Erasure, Erasures, erase_again
from ordersaga.runtime.reasons import reason_of
from ordersaga.runtime.sessions import OPERATOR, connect
from ordersaga.runtime.settings import url_variable
from ordersaga.service import Service


@click.command()
@click.argument("services", nargs=-1, type=OneOfServices(), metavar="[SERVICE]...")
@json_option
@click.pass_obj
def migrate(application: Application, services: tuple[Service, ...], as_json: bool) -> None:
    """Bring the databases of all services, or of those named, up to date, as their owner.

    Each database is changed in one transaction and by one process at a time; then the roles that the server has
    (of the service, `relay`, `auditor`) are granted what they need, and everybody else loses the right to connect to a
    database that holds no tables of another application. A database that is up to date is left as it is.
    Erasures of personal data on the list ERASURE_LIST are repeated in a database that was restored from a backup.

    Exit codes: 0 all are up to date, 1 one could not be migrated; those before it are.
    """
    erasures = list(Erasures(application.erasure_list()))
    chosen = services or application.services
    urls = application.urls(chosen, OWNER)
    erased: dict[str, list[str]] = {}
    for service in chosen:
        erased[service.database] = bring_up_to_date(service, urls[service.database], erasures)
        if not as_json:
            click.echo(f"migrated {service.database}")
            for subject in erased[service.database]:
                click.echo(f"erased personal keys of {subject} in {service.database} again")
    if as_json:
        click.echo(to_json({"migrated": list(erased), "erased_again": erased}))


def bring_up_to_date(service: Service, url: str, erasures: list[Erasure]) -> list[str]:
    """Returns whose personal keys were erased again. Raises Failed."""
    try:
        migrate_database(service.schema, url)
        return repeat_erasures(url, erasures)
    except UnknownSchema as error:
        raise Failed(str(error)) from None
    except (psycopg.Error, DBAPIError) as error:
        cause = cast(psycopg.Error, error.orig) if isinstance(error, DBAPIError) else error
        raise Failed(
            f"The database of {service.name} could not be migrated: {reason_of(cause)}.\n"
            f"Nothing was changed in it. Is {url_variable(service.database)} the URL of its owner?"
        ) from None


def repeat_erasures(url: str, erasures: list[Erasure]) -> list[str]:
    """Erase the keys that a restored backup has again. Returns whose they were."""
    if not erasures:
        return []
    with connect(url, "ordersaga migrate", OPERATOR) as connection:
        return [done.subject for done in erase_again(connection, erasures)]
