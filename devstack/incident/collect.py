"""Collecting: the incident in the records of one order, ordered by cause and time, made anonymous."""

from devstack.incident import cards
from devstack.incident.aggregates import Aggregates
from devstack.incident.ending import Ending
from devstack.incident.incident import Incident, Line
from devstack.incident.receptions import Receptions
from devstack.incident.records import ORDERS, PAYMENTS, SERVICES, Records
from devstack.incident.steps import Steps


class NoSuchOrder(LookupError):
    """No order with this id was ever placed."""


class LostOrder(LookupError):
    """The event store of orders lacks it, and that of another service has events of it."""


def collect(records: Records) -> Incident:
    """Raises NoSuchOrder, LostOrder."""
    orders = records.events[ORDERS]
    if not orders or orders[0].topic != "order.placed":
        others = [name for name in SERVICES if name != ORDERS and records.events[name]]
        raise LostOrder(" and ".join(others)) if others else NoSuchOrder(str(records.order_id))
    return incident(records)


def incident(records: Records) -> Incident:
    """Of an order that was placed."""
    aggregates, receptions = Aggregates(records), Receptions(records)
    placed, names = aggregates.placed, aggregates.names
    ending = Ending(records, aggregates, receptions)
    payments = [(row.topic, row.event) for row in records.events[PAYMENTS]]
    return Incident(
        lines=[Line(names[each["sku"]], each["quantity"], each["unit_price"]) for each in placed.lines],
        currency=placed.currency,
        stock=aggregates.stock(),
        card=cards.like(placed.card, payments),
        contact=placed.contact is not None,
        steps=Steps(records, receptions, names).in_order(),
        end=ending.end(),
        wrong=list(ending.wrong()),
        notes=list(ending.notes()),
    )
