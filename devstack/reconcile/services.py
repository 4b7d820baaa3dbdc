"""Who announces what and who must hear it: the registries of all services, and of the read side."""

from importlib import import_module

from devstack.processes import READ_SIDE, SERVICES
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.announcements import Announcements

ANNOUNCEMENTS: dict[str, Announcements] = {
    service: import_module(f"{service}.announcements").announcements for service in SERVICES
}
REACTIONS: dict[str, Reactions] = {service: import_module(f"{service}.reactions").reactions for service in SERVICES}


def hearers(contract: str) -> list[str]:
    """The groups that a message of this contract must reach; the read side hears everything."""
    return [*(group for group, reactions in REACTIONS.items() if contract in reactions.by_contract), READ_SIDE]
