"""`ordersaga webhooks`: the group of its commands."""

import click

from ordersaga.cli.webhooks.change import add, pause, remove, resume, rotate
from ordersaga.cli.webhooks.look import actions, deliveries, list_, show
from ordersaga.cli.webhooks.run import run
from ordersaga.cli.webhooks.send import retry, test


@click.group()
def webhooks() -> None:
    """Send messages of the event log, and alarms, to the addresses of other systems.

    A webhook is a POST with a CloudEvent as JSON, signed as Standard Webhooks specifies. It is sent at least once, in
    order per key; a receiver drops repeats by the header `webhook-id`. A delivery is tried 10 times within three days
    and then failed for good, until you `retry` it. A subscription is disabled when its endpoint answers 410, or when
    every attempt of three days has failed; `resume` sends what has come since.
    """


for command in (add, list_, show, test, deliveries, retry, pause, resume, rotate, remove, actions, run):
    webhooks.add_command(command)
