"""`./ordersaga token`: a bearer token to call the services with."""

from datetime import timedelta

import click

from devstack.demo.customers import token as make_token
from devstack.options import state_option
from devstack.state import State
from ordersaga.cli.errors import Failed


@click.command()
@state_option
@click.option("--role", type=click.Choice(["customer", "operator", "auditor"]), required=True, help="What it may do.")
@click.option("--subject", required=True, help="Who it stands for; a customer sees the orders of this name only.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=12, show_default=True, help="Lifetime.")
def token(state: State, role: str, subject: str, hours: float) -> None:
    """Print a bearer token that the services of this state directory accept.

    Example: curl -H "Authorization: Bearer $(./ordersaga token --role customer --subject alice)" ...
    """
    if not state.exists():
        raise Failed(f"No stack has run in {state.directory} yet. Start one with `./ordersaga up` first.")
    try:
        click.echo(make_token(state, role, subject, timedelta(hours=hours)))
    except ValueError as error:
        raise Failed(str(error)) from None
