"""`ordersaga parked list | show | actions | retry | dry-run | edit | skip`."""

import click

from ordersaga.cli.parked.act import dry_run, edit, retry, skip
from ordersaga.cli.parked.look import actions, list_, show


@click.group()
def parked() -> None:
    """Look at messages that a reaction or the broker refused, and deal with them.

    A refused message holds up the later messages of its key, and nothing else. Remove the cause, then retry; every
    action is recorded with who and why.

    A reaction refuses a message by raising an exception; a worker of its group retries it. The broker refuses one that
    the relay of a service publishes; it is nacked (a queue did not take it), returned (no queue is bound for it) or
    too_large, and the active relay retries it.
    """


for command in (list_, show, actions, retry, dry_run, edit, skip):
    parked.add_command(command)
