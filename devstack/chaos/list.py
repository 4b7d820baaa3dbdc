"""`./ordersaga chaos list`: what each command does."""

import json

import click

from devstack.chaos.command import TABLE
from ordersaga.cli.options import json_option


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the commands of `chaos` with what they do."""
    found = [{"name": name, "what": text} for name, (_, text) in TABLE.items() if name != "list"]
    if as_json:
        click.echo(json.dumps({"commands": found}))
    else:
        click.echo("\n".join(f"{each['name']:18}{each['what']}" for each in found) or "There is none yet.")
