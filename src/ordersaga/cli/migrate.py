"""`ordersaga migrate`: bring databases up to date."""

from typing import cast

import click
import psycopg
from sqlalchemy.exc import DBAPIError

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import OneOfServices
from ordersaga.database.migrate import UnknownSchema
from ordersaga.database.migrate import migrate as migrate_database
from ordersaga.privacy.erasure import Erasure, Erasures, erase_again
from ordersaga.runtime.reasons import reason_of
from ordersaga.runtime.sessions import OPERATOR, connect
from ordersaga.runtime.settings import url_variable
from ordersaga.service import Service


@click.command()
@click.argument("services", nargs=-1, type=OneOfServices(), metavar="[SERVICE]...")
@click.pass_obj
def migrate(application: Application, services: tuple[Service, ...]) -> None:
    """Bring the databases of all services, or of those named, up to date, as their owner.

    Each database is changed in one transaction and by one process at a time; then the roles that the server has
    (of the service, `relay`, `auditor`) are granted what they need, and everybody else loses the right to connect to a
    database that holds no tables of another application. A database that is up to date is left as it is.
    Erasures of personal data on the list ERASURE_LIST are repeated in a database that was restored from a backup.
    """
    erasures = list(Erasures(application.erasure_list()))
    chosen = services or application.services
    urls = application.urls(chosen, OWNER)
    for service in chosen:
        url = urls[service.database]
        try:
            migrate_database(service.schema, url)
            click.echo(f"migrated {service.database}")
            repeat_erasures(service.database, url, erasures)
        except UnknownSchema as error:
            raise Failed(str(error)) from None
        except (psycopg.Error, DBAPIError) as error:
            cause = cast(psycopg.Error, error.orig) if isinstance(error, DBAPIError) else error
            raise Failed(
                f"The database of {service.name} could not be migrated: {reason_of(cause)}.\n"
                f"Nothing was changed in it. Is {url_variable(service.database)} the URL of its owner?"
            ) from None


def repeat_erasures(database: str, url: str, erasures: list[Erasure]) -> None:
    """Erase the keys that a restored backup has again."""
    if erasures:
        with connect(url, "ordersaga migrate", OPERATOR) as connection:
            for done in erase_again(connection, erasures):
                click.echo(f"erased personal keys of {done.subject} in {database} again")
