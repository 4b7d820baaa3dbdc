"""`./ordersaga chaos`: the commands that harm a stack of their own on purpose."""

import click

from devstack.breaking.scenarios.table import commands
from ordersaga.cli.lazy_group import LazyGroup

TABLE: dict[str, tuple[str, str]] = {
    "run": (
        "devstack.chaos.run_command:run",
        "Faults by a seeded schedule under load, the check, and a report",
    ),
    "list": ("devstack.chaos.list_command:list_", "List the commands with what they do"),
    "explore": ("devstack.chaos.explorer.command:explore", "A process dies, fails or stalls at every failpoint"),
    "broken-builds": (
        "devstack.chaos.builds.command:broken_builds",
        "A line of the code is broken on purpose: the checker has to see it",
    ),
    "standby-promoted": (
        "devstack.chaos.cluster.standby_promoted:standby_promoted",
        "A Postgres primary is killed, and its standby takes over",
    ),
    **commands("on_own_stack"),
}


@click.group("chaos", cls=LazyGroup, table=TABLE)
def chaos() -> None:
    """Start a stack of its own, do it harm under load, heal it, and check what it did.

    Every command but `list` starts private servers in a directory of its own, and ends with the verdicts of the
    checker.

    Exit codes: 0 every verdict is good, 1 one is not, 2 cannot run here, 130 interrupted.
    """
