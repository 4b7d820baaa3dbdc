"""The three services of the saga over real databases."""

from inventory_service.announcements import announcements as inventory_announcements
from inventory_service.reactions import reactions as inventory_reactions
from order_service.announcements import announcements as order_announcements
from order_service.reactions import reactions as order_reactions
from payment_service.announcements import announcements as payment_announcements
from payment_service.reactions import reactions as payment_reactions
from tests.shop.support.saga import Saga
from tests.shop.support.till import Till
from tests.support.databases import Databases
from tests.support.party import DatabaseParty


def parties_on_postgres(database: Databases) -> dict[str, DatabaseParty]:
    """Three fresh databases; the payment service lacks its till."""
    services = (
        (order_reactions, order_announcements),
        (payment_reactions, payment_announcements),
        (inventory_reactions, inventory_announcements),
    )
    return {said.source: DatabaseParty(database(said.source), reactions, said) for reactions, said in services}


def open_shop(parties: dict[str, DatabaseParty], shop: int = 0) -> Saga:
    """A saga of its own in databases that others may have used before; the till is the only part in memory."""
    parties["payment_service"].world = Till()
    routed = {name: len(party.said_after(0)) for name, party in parties.items()}
    return Saga(dict(parties), parties["payment_service"].world, shop, routed=routed)
