"""Who must receive a message of a contract."""

from devstack.processes import READ_SIDE
from projections.sources import SOURCES


def hearers(contract: str) -> list[str]:
    """The groups that a message of this contract must reach; the read side hears everything."""
    return [*(name for name, service in SOURCES.items() if contract in service.reactions.by_contract), READ_SIDE]
