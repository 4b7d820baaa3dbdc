"""Orders that have come to their end on real databases, and a hand that takes rows away from them."""

from dataclasses import dataclass, field
from uuid import UUID

from order_service.commands import UnpricedLine
from ordersaga.envelope.message import Message
from shop import services
from tests.shop.support.saga import Saga
from tests.support.databases import Database
from tests.support.moved_by_hand import MovedByHand
from tests.support.party import DatabaseParty

CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined")


@dataclass
class Shop(MovedByHand):
    """Three services and the read side; every message is moved from one to the other without a broker."""

    parties: dict[str, DatabaseParty]
    projections: Database
    saga: Saga
    logged: dict[str, int] = field(default_factory=dict)
    services = services

    @property
    def urls(self) -> dict[str, str]:
        owners = {name: party.database.owner_url for name, party in self.parties.items()}
        return {**owners, "projections": self.projections.owner_url}

    def trade(self) -> None:
        self.saga.receive_stock("cup", 4)
        for card in CARDS:
            self.saga.place([UnpricedLine("cup", 1)], card)
        self.saga.place([UnpricedLine("cup", 9)], "pm_card_visa")
        self.saga.settle()
        self.saga.cancel(self.saga.orders[1])
        self.saga.settle()
        self.log_all()

    def log_all(self) -> None:
        self.log(self.parties.values(), self.projections)

    def message(self, service: str, contract: str) -> Message:
        return next(m for m in self.parties[service].said_after(0) if m.contract == contract)

    def messages_of(self, order: UUID) -> list[Message]:
        return [m for party in self.parties.values() for m in party.said_after(0) if m.key == str(order)]
