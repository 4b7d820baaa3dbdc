"""`ordersaga worker`: run the worker of one service."""

import click

from ordersaga.cli.app import Application
from ordersaga.cli.options import OneOfServices
from ordersaga.consumer.worker import serve
from ordersaga.service import Service


@click.command()
@click.argument("service", type=OneOfServices(), metavar="SERVICE")
@click.pass_obj
def worker(application: Application, service: Service) -> None:
    """Receive the messages of SERVICE, each once and in order per key, until SIGTERM or Ctrl-C.

    It retries parked messages and reacts to deadlines. Start as many as you like; they share the queues. It waits for
    servers that are away. HEALTH_PORT serves /healthz, /readyz and /metrics on loopback.
    """
    raise SystemExit(serve(service))
