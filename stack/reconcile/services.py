"""Who announces what and who must hear it: the registries of the three services and of the read side."""

import inventory_service.announcements
import inventory_service.reactions
import order_service.announcements
import order_service.reactions
import payment_service.announcements
import payment_service.reactions
from messaging.announcements import Announcements
from messaging.reactions import Reactions

ANNOUNCEMENTS: dict[str, Announcements] = {
    announcements.service: announcements
    for announcements in (
        order_service.announcements.announcements,
        payment_service.announcements.announcements,
        inventory_service.announcements.announcements,
    )
}
REACTIONS: dict[str, Reactions] = {
    reactions.group: reactions
    for reactions in (
        order_service.reactions.reactions,
        payment_service.reactions.reactions,
        inventory_service.reactions.reactions,
    )
}
READ_SIDE = "projections"
GROUPS = (*REACTIONS, READ_SIDE)


def hearers(contract: str) -> list[str]:
    """The groups that a message of this contract must reach; the read side hears everything."""
    return [*(group for group, reactions in REACTIONS.items() if contract in reactions.by_contract), READ_SIDE]
