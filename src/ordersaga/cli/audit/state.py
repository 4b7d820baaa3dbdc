"""`ordersaga audit state`: an aggregate as it was."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.audit.options import VersionOrTime
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import KeyId
from ordersaga.cli.options import OneWithOutbox, json_option
from ordersaga.cli.text import plain, to_json
from ordersaga.service import Service
from ordersaga.store.history import fields, load_as_of


@click.command()
@click.argument("service", type=OneWithOutbox())
@click.argument("aggregate", type=KeyId())
@click.option(
    "--as-of", type=VersionOrTime(), required=True, help="A version of the aggregate, or a time (ISO 8601, UTC)."
)
@json_option
@click.pass_obj
def state(application: Application, service: Service, aggregate: UUID, as_of: int | datetime, as_json: bool) -> None:
    """Print what SERVICE had recorded of the aggregate with this id."""
    recorded = recorded_as_of(application, service, aggregate, as_of)
    if recorded is None:
        raise Failed(f"There was nothing of {aggregate} at {as_of}. Check the service, the id and the moment.")
    click.echo(to_json({"recorded": recorded}) if as_json else "\n".join(lines(recorded)))


def recorded_as_of(
    application: Application, service: Service, aggregate: UUID, as_of: int | datetime
) -> dict[str, Any] | None:
    """The fields of the aggregate at a version or a time; None when there was nothing of it. Raises Failed."""
    time, version = (as_of, None) if isinstance(as_of, datetime) else (None, as_of)
    with connected(application, service, OWNER) as connection:
        return fields(load_as_of(connection, aggregate, version, time))


def lines(values: Mapping[str, Any]) -> list[str]:
    return [f"  {name:14}{shown(value)}" for name, value in values.items() if value is not None]


def shown(value: Any) -> str:
    return json.dumps(value, default=plain) if isinstance(value, (list, dict, tuple)) else plain(value)
