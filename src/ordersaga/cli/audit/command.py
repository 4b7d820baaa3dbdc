"""`ordersaga audit`: the group of its commands."""

import click

from ordersaga.cli.lazy_group import LazyGroup

COMMANDS = {
    "why": ("ordersaga.cli.audit.why:why", "Show the causes and effects of a message."),
    "state": ("ordersaga.cli.audit.state:state", "Show an aggregate as it was at a version or a time."),
    "export": ("ordersaga.cli.audit.export:export", "Write everything that a verifier needs."),
    "verify": ("ordersaga.cli.audit.verify:verify", "Name whatever was altered since it was recorded."),
    "seal": ("ordersaga.cli.audit.seal:seal", "Seal what the services record, until Ctrl-C."),
    "erase": ("ordersaga.cli.audit.erase:erase", "Make a person's personal data unreadable, everywhere."),
    "key": ("ordersaga.cli.audit.key:key", "Print the public key that checkpoints are verified with."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def audit() -> None:
    """Prove that what is recorded was not altered, look at old states, erase personal data."""
