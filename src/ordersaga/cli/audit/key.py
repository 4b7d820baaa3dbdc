"""`ordersaga audit key`: the public half of the key that checkpoints are signed with."""

import click

from ordersaga.cli.app import Application


@click.command()
@click.pass_obj
def key(application: Application) -> None:
    """Print the verifier key, one line of C2SP signed-note: for `audit verify --key`. Give it to your auditors."""
    click.echo(str(application.audit_key()))
