"""`ordersaga audit`: which commands it has."""

import click

from ordersaga.cli.lazy_group import LazyGroup

COMMANDS = {
    "trail": ("devstack.audit.trail:trail", "Who did what, when and why: of an order, an actor, a type, a time."),
    "why": ("devstack.audit.why:why", "What a message came from and all that came of it."),
    "state": ("devstack.audit.state:state_as_of", "An order as it was at a version or a time."),
    "export": ("devstack.audit.export:export", "Write everything that a verifier needs, or a table for people."),
    "verify": ("devstack.audit.verify:verify", "Name whatever was altered since it was recorded."),
    "erase": ("devstack.audit.erase:erase", "Make a customer's personal data unreadable, everywhere."),
    "key": ("devstack.audit.key:key", "Print the public key that checkpoints are verified with."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def audit() -> None:
    """Ask who did what and why, prove that the record of it was not altered, erase personal data."""
