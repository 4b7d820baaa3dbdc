"""`ordersaga worker`: run the worker of one service."""

import click

from ordersaga.cli.app import Application
from ordersaga.consumer.worker import serve


@click.command()
@click.argument("service")
@click.pass_obj
def worker(application: Application, service: str) -> None:
    """Take the messages of SERVICE, let each take effect once and in order per key, until SIGTERM or Ctrl-C.

    It tries again what failed, and does what deadlines ask for. Start as many as you like; they share the queues.
    Servers that are away are waited for. HEALTH_PORT serves /healthz, /readyz and /metrics on loopback.
    """
    raise SystemExit(serve(application.service(service)))
