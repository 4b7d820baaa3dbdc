"""`./ordersaga env`: addresses and tokens of the stack as variables of a shell."""

import json
from collections.abc import Iterator
from datetime import timedelta
from shlex import quote

import click

from devstack.application import environments_of_running
from devstack.demo.customers import token
from devstack.environment import Environments
from devstack.options import state_option
from devstack.processes import PROCESSES
from devstack.read_only import read_only
from devstack.state import State
from ordersaga.cli.app import PROVISIONER
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option

ADDRESSES = {
    "ORDERS": "orders-api",
    "PAYMENTS": "payments-api",
    "INVENTORY": "inventory-api",
    "READ": "projections-api",
}
"""Variable -> the API whose address it has."""
DATABASES = {
    "ORDERS_DATABASE": "order_service",
    "PAYMENTS_DATABASE": "payment_service",
    "INVENTORY_DATABASE": "inventory_service",
    "READ_DATABASE": "projections",
}
"""Variable -> database. Not `<NAME>_DATABASE_URL`: with these in its environment, `up` would use external servers."""
ROLES = {"CUSTOMER": "customer", "OPERATOR": "operator", "AUDITOR": "auditor"}
EXPORT = {"sh": "export {name}={value}", "fish": "set -gx {name} {value}"}


@click.command()
@state_option
@click.option(
    "--shell", type=click.Choice(list(EXPORT)), default="sh", show_default=True, help="sh is for bash and zsh too."
)
@click.option(
    "--customer", default="alice", show_default=True, metavar="NAME", help="Subject of the token in CUSTOMER."
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=12,
    show_default=True,
    help="Lifetime of the tokens.",
)
@click.option("--secrets", is_flag=True, help="Also print the URLs of databases and broker, with passwords.")
@json_option
def env(state: State, shell: str, customer: str, hours: float, secrets: bool, as_json: bool) -> None:
    """Print addresses and tokens as variables, for the examples of the documents.

    ORDERS, PAYMENTS, INVENTORY and READ are the addresses of the APIs. CUSTOMER, OPERATOR and AUDITOR are headers with
    a token, and JSON is the header of a JSON body. With --secrets also AMQP, the URL of the broker for the user who may
    declare queues, and ORDERS_DATABASE, PAYMENTS_DATABASE, INVENTORY_DATABASE and READ_DATABASE, whose sessions are
    read-only.

    \b
    Example: eval "$(./ordersaga env)"
             curl -H "$CUSTOMER" $ORDERS/orders
    fish:    ./ordersaga env --shell fish | source

    Exit codes: 0 printed, 1 no stack runs.
    """
    environments = environments_of_running(state)
    found = dict(variables(state, environments, customer, timedelta(hours=hours)))
    if secrets:
        found |= dict(secret_variables(environments))
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo("\n".join(EXPORT[shell].format(name=name, value=quote(found[name])) for name in found))


def variables(
    state: State, environments: Environments, customer: str, lifetime: timedelta
) -> Iterator[tuple[str, str]]:
    """Name and value. Raises Failed: the tokens cannot live that long."""
    by_name = {process.name: process for process in PROCESSES}
    for variable, process in ADDRESSES.items():
        yield variable, environments.url(by_name[process])
    for variable, role in ROLES.items():
        subject = customer if role == "customer" else role
        try:
            yield variable, f"Authorization: Bearer {token(state, role, subject, lifetime)}"
        except ValueError as error:
            raise Failed(str(error)) from None
    yield "JSON", "Content-Type: application/json"


def secret_variables(environments: Environments) -> Iterator[tuple[str, str]]:
    for variable, database in DATABASES.items():
        yield variable, read_only(environments.database_url(database, database))
    yield "AMQP", environments.amqp_url(PROVISIONER)
