"""`./ordersaga audit`: the library's commands, and those that know orders and sagas."""

import click

from ordersaga.cli.audit.command import COMMANDS
from ordersaga.cli.lazy_group import LazyGroup

TABLE = {
    "trail": (
        "projections.commands.audit_trail:trail",
        "Who did what, when and why: of an order, an actor, a type, a time.",
    ),
    **COMMANDS,
    "state": ("projections.commands.audit_state:state", "An order as it was at a version or a time."),
    "export": (
        "projections.commands.audit_export:export",
        "Write everything that a verifier needs, or a table for people.",
    ),
}


@click.group(cls=LazyGroup, table=TABLE)
def audit() -> None:
    """Ask who did what and why, prove that the record of it was not altered, erase personal data."""
