"""`ordersaga audit`."""

import click

from stack.audit.erase import erase


@click.group()
def audit() -> None:
    """What is kept of people, and how it is made unreadable."""


audit.add_command(erase)
