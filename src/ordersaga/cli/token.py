"""`ordersaga token`: a bearer token for trying an application's endpoints."""

import os
from datetime import timedelta

import click

from ordersaga.cli.errors import CannotRunHere, Failed
from ordersaga.http.tokens import issue, private_key
from ordersaga.runtime.settings import Settings, read_settings

VARIABLE = "TOKEN_PRIVATE_KEY"


@click.command()
@click.option("--role", required=True, help="The role of the caller, such as operator or auditor.")
@click.option("--subject", required=True, help="The name of the caller.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=12, show_default=True, help="Lifetime.")
def token(role: str, subject: str, hours: float) -> None:
    """Print a bearer token that endpoints with the public half of TOKEN_PRIVATE_KEY accept.

    The variable holds an Ed25519 private key as PEM; TOKEN_ISSUER and TOKEN_AUDIENCE are those of the endpoints.
    """
    key = os.environ.get(VARIABLE, "")
    if not key:
        raise CannotRunHere(f"{VARIABLE} is not set. Set it to the Ed25519 private key that tokens are signed with.")
    try:
        private_key(key)
    except ValueError as error:
        raise CannotRunHere(f"{VARIABLE} cannot be used: {error}.") from None
    settings = read_settings(Settings)
    try:
        lifetime = timedelta(hours=hours)
        click.echo(issue(key, role, subject, lifetime, settings.token_issuer, settings.token_audience))
    except ValueError as error:
        raise Failed(str(error)) from None
