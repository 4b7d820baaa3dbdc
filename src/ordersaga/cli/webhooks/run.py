"""`ordersaga webhooks run`: the process that sends webhooks."""

import click

from ordersaga.cli.app import Application
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.webhooks.daemon import serve


@click.command()
@click.pass_obj
def run(application: Application) -> None:
    """Send webhooks until SIGTERM or Ctrl-C.

    Start as many as you like: one sends, the others stand by and take over when it ends. It waits for a database that
    is away. HEALTH_PORT serves /healthz, /readyz and /metrics on loopback. WEBHOOK_SECRETS_KEY opens the secrets;
    WEBHOOK_ALLOW names hosts and networks outside the internet, WEBHOOK_HTTP=true accepts http://. Proxies of the
    environment are not used.
    """
    read_side = read_side_of(application)
    url = application.database_url(read_side.database, read_side.role)
    try:
        raise SystemExit(serve(url, read_side, application.webhook_settings()))
    except OSError as error:
        raise CannotRunHere(f"HEALTH_PORT cannot be served: {error}") from None
