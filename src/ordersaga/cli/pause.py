"""`ordersaga pause | resume`: stop the workers of a service from receiving, and let them go on."""

from typing import Any

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.options import OneOfServices, actor_option, json_option, reason_option
from ordersaga.cli.text import printable, to_json
from ordersaga.parked import group_pause
from ordersaga.parked.group_pause import Pause
from ordersaga.parked.operator import Operator
from ordersaga.service import Service

service_argument = click.argument("service", type=OneOfServices(), metavar="SERVICE")


@click.command()
@service_argument
@actor_option
@reason_option
@json_option
@click.pass_obj
def pause(application: Application, service: Service, actor: str, reason: str, as_json: bool) -> None:
    """Pause all workers of a service within a second, also those that start later, until `resume`.

    They handle what they have in hand, at most ten seconds long, and receive and retry nothing more: messages stay in
    the queues, in order. Deadlines go on, and so do requests and the relay.
    """
    with connected(application, service, service.role) as connection:
        found, is_new = group_pause.pause(connection, Operator(actor, reason))
    say(service, found, as_json, "" if is_new else "already ")


@click.command()
@service_argument
@actor_option
@click.option("--reason", default="", help="Why, for the record.")
@json_option
@click.pass_obj
def resume(application: Application, service: Service, actor: str, reason: str, as_json: bool) -> None:
    """End the pause of a service: its workers receive again within a second."""
    with connected(application, service, service.role) as connection:
        ended = group_pause.resume(connection, Operator(actor, reason))
    if as_json:
        say(service, None, as_json)
    else:
        was = f"receives again; it was {ended}" if ended else "was not paused"
        click.echo(printable(f"{service.group} {was}."))


def say(service: Service, found: Pause | None, as_json: bool, already: str = "") -> None:
    if as_json:
        click.echo(to_json({"group": service.group, "paused": found is not None, **as_data(found)}))
    else:
        click.echo(printable(f"{service.group} is {already}{found}."))


def as_data(found: Pause | None) -> dict[str, Any]:
    return found._asdict() if found else dict.fromkeys(Pause._fields)
