"""`ordersaga audit key`: the public half of the key that checkpoints are signed with."""

import click

from devstack.audit.options import key_of
from devstack.options import state_option
from devstack.state import State


@click.command()
@state_option
def key(state: State) -> None:
    """Print the verifier key, one line of C2SP signed-note: for `audit verify --key`. Give it to your auditors."""
    click.echo(str(key_of(state)))
