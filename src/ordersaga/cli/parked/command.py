"""`ordersaga parked`: its commands, in the order of a triage."""

import click

from ordersaga.cli.parked.act import dry_run, edit, retry, skip
from ordersaga.cli.parked.look import actions, list_, show
from ordersaga.cli.parked.notes import hold, note, release
from ordersaga.cli.parked.runs import runs, stop


@click.group()
def parked() -> None:
    """Inspect messages that a reaction or the broker refused, and retry, edit or skip them.

    A refused message blocks the later messages of its key, and no others. Remove the cause, then retry; every action is
    recorded with actor and reason.

    A reaction refuses a message by raising an exception; a worker of its group retries it. The broker refuses one that
    the relay of a service publishes; it is nacked (a queue did not take it), returned (no queue is bound for it) or
    too_large. The relay does not send one that is foreign_source (another service's), invalid (over a limit) or
    unknown_contract (not of this version of its service); they are listed with those that the broker refused. The
    active relay retries what is nacked, returned or unknown_contract; the others wait for you.

    Messages that fail in the same way are one failure: note who cares for it, hold it, and retry it in a run, a few
    messages first.
    """


for command in (list_, show, actions, note, hold, release, retry, runs, stop, dry_run, edit, skip):
    parked.add_command(command)
