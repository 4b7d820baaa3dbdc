"""Ending: how an order has ended, what is wrong with that, and what a reader of the replay must know."""

from collections.abc import Iterator

from devstack.incident import cards, rules
from devstack.incident.aggregates import Aggregates
from devstack.incident.foreign import known_contract
from devstack.incident.incident import End
from devstack.incident.receptions import Receptions
from devstack.incident.records import INVENTORY, ORDERS, PAYMENTS, SERVICES, ParkedRow, Records

HELD = {"order": ORDERS, "reservation": INVENTORY, "payment": PAYMENTS}


class Ending:
    """Of the records of one order."""

    def __init__(self, records: Records, aggregates: Aggregates, receptions: Receptions) -> None:
        self.records = records
        self.aggregates = aggregates
        self.receptions = receptions

    def end(self) -> End:
        held = self.aggregates
        events = {name: [row.topic for row in rows] for name, of in HELD.items() if (rows := self.records.events[of])}
        events |= {name: [topic for topic, _ in moves] for name, moves in held.moves.items() if moves}
        return End(
            held.order.state,
            held.payment.state if held.payment else "",
            held.reservation.state if held.reservation else "",
            events,
            [parked_text(group, row) for group in SERVICES for row in self.records.still_parked(group)],
        )

    def wrong(self) -> Iterator[str]:
        """Each broken rule as a sentence; those of the end only where nothing is still to come."""
        for group in SERVICES:
            foreign = {row.message_id for row in self.records.foreign(group)}
            for row in self.records.still_parked(group):
                if row.message_id not in foreign and row.state != "waiting":
                    yield f"everything arrives: {parked_text(group, row)} is parked"
        if self.is_under_way():
            return
        held = self.aggregates
        reservation = held.renamed_reservation()
        yield from rules.wrong(held.order, held.payment, reservation, held.moves, self.records.charges)

    def is_under_way(self) -> bool:
        """Whether a message or a decision is still to come."""
        return self.aggregates.order.state == "placed" or any(True for _ in self.receptions.undelivered())

    def notes(self) -> Iterator[str]:
        if self.aggregates.order.state == "placed":
            yield "The order was still under way; the replay lets it go on to its end."
        yield from (f"{said}." for said in self.receptions.undelivered())
        for row in self.records.still_parked("projections"):
            contract = known_contract(row.contract)
            yield f"The read side has parked {contract}: {row.error}; the replay has no read side."
        if self.records.edited:
            yield "People have edited messages of the order; the replay delivers them as they were announced."
        if self.records.charges is None:
            yield "The card processor was not asked, so the rules about its charges were left out."
        card = self.aggregates.placed.card
        if cards.like(card, ()) != card:
            yield "The card is a test card that answers as the card of the order did."


def parked_text(group: str, row: ParkedRow) -> str:
    return f"{group} {known_contract(row.contract)} {'waits' if row.state == 'waiting' else row.error}"
