"""`python -m devstack.containers.traffic`: a steady load of orders, until it is stopped."""

import signal

import click

from devstack.containers.addresses import clients, shop_options
from devstack.demo.traffic import Traffic

EVERY_SECONDS = 60


@click.command()
@shop_options
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), required=True, help="Orders a second.")
def traffic(rate: float, **shop: str) -> None:
    """Place orders at a rate; some are declined or cancelled. Says once a minute how many there were.

    SIGTERM and SIGINT end it, with exit code 0.
    """
    ends = {signal.SIGTERM, signal.SIGINT}
    # Also in the threads of the load, which begin now.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    load = Traffic(clients(**shop), rate)
    load.start()
    while signal.sigtimedwait(ends, EVERY_SECONDS) is None:
        click.echo(f"{load.placed} orders placed, {load.failed} refused")
    load.stop()
    click.echo(f"{load.placed} orders placed, {load.failed} refused")


if __name__ == "__main__":
    traffic()
