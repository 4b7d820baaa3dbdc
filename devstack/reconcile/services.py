"""What is known of a contract: who must receive it, and whether an event stands behind it."""

from devstack.processes import READ_SIDE
from projections.service import projections

SOURCES = {source.name: source for source in projections.sources}


def hearers(contract: str) -> list[str]:
    """The groups that a message of this contract must reach; the read side hears everything."""
    return [*(name for name, service in SOURCES.items() if contract in service.reactions.by_contract), READ_SIDE]


def is_without_event(contract: str | None) -> bool:
    """Whether a service names it as one that it announces in a transaction of its own, without an event."""
    return any(contract in service.announcements.without_events for service in SOURCES.values())
