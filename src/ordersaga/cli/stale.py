"""The text about bindings that no reaction needs any more."""

from collections.abc import Iterable

from ordersaga.cli.errors import full_command


def stale_text(contracts: Iterable[str]) -> str:
    """Follows the name of a group."""
    return (
        f"is still bound to {', '.join(contracts)}, to which it has no reaction: each such message is parked. "
        f"Run {full_command('topology --prune')} once no worker of the older code runs"
    )
