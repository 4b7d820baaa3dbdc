"""OrderNarrative: what each service did for one order, transaction by transaction, read from the event stores."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from devstack.chaos.narrative.event_words import COMPENSATIONS, UNTOLD, in_words, named, short
from devstack.processes import CONTEXTS
from ordersaga.store.topics import mapper

MESSAGES = """
select message_id, contract, source, time, causation_id, actor, xid::text as xid from outbox
where key = %s order by position
"""
EVENTS = """
select originator_id, originator_version, topic, state, recorded_at, causation_id, actor, xid::text
from stored_events where originator_id = %(order)s or correlation_id = any(%(flows)s) order by position
"""
FLOWS = "select distinct correlation_id from stored_events where originator_id = %s"
RECEIVED = "select message_id, received_at, contract from inbox where message_id = any(%s)"
DEADLINE = "deadline"
"""The actor of what a deadline makes a service do."""


class AnnouncedMessage(NamedTuple):
    id: UUID
    contract: str
    source: str
    time: datetime
    causation: UUID | None
    actor: str
    xid: str


class Receipt(NamedTuple):
    """A message in the inbox of a service, and the beginning of the transaction in which it took effect."""

    id: UUID
    at: datetime
    contract: str


@dataclass
class NarrativeStep:
    """One transaction of one service: what it received, recorded and announced, and when it began."""

    at: datetime
    service: str
    """The first part of its contracts: `orders`."""
    why: str
    """The message that it received, or what else made it act."""
    records: list[str] = field(default_factory=list)
    announces: list[str] = field(default_factory=list)
    compensates: bool = False
    """Whether it undoes an earlier step, or prevents one."""


@dataclass(frozen=True)
class OrderNarrative:
    order: UUID
    title: str
    steps: list[NarrativeStep]


def order_narrative(urls: Mapping[str, str], order: UUID, title: str, skus: Iterable[str]) -> OrderNarrative:
    """Read by the owner of the databases; `urls` by database, `skus` names the products of the order."""
    messages: dict[UUID, AnnouncedMessage] = {}
    steps: list[NarrativeStep] = []
    for service in CONTEXTS:
        with psycopg.connect(urls[service]) as connection:
            found = connection.execute(MESSAGES, (str(order),)).fetchall()
        messages |= {row[0]: AnnouncedMessage(*row) for row in found}
    flows: set[UUID] = set()
    for service in CONTEXTS:
        with psycopg.connect(urls[service]) as connection:
            flows |= {flow for (flow,) in connection.execute(FLOWS, (order,)) if flow}
    for service in CONTEXTS:
        with psycopg.connect(urls[service]) as connection:
            steps += steps_of(connection, service, order, messages, list(flows), list(skus))
    return OrderNarrative(order, title, sorted(steps, key=lambda step: step.at))


def steps_of(
    connection: Connection[Any],
    service: str,
    order: UUID,
    messages: Mapping[UUID, AnnouncedMessage],
    flows: list[UUID],
    skus: list[str],
) -> Iterator[NarrativeStep]:
    """The transactions of one service."""
    steps: dict[tuple[str, UUID | None], NarrativeStep] = {}
    sku_of = named(skus)
    rows = connection.execute(EVENTS, {"order": order, "flows": flows}).fetchall()
    asked = [*messages, *(row[5] for row in rows if row[5])]
    received = {row[0]: Receipt(*row) for row in connection.execute(RECEIVED, (asked,)).fetchall()}
    for id_, version, topic, state, at, cause, actor, xid in rows:
        data = vars(mapper.to_domain_event(StoredEvent(id_, version, topic, state)))
        if order not in (id_, data.get("order_id")):
            continue
        step = step_of(steps, service, xid, cause, at, actor, messages, received)
        step.compensates |= topic in COMPENSATIONS
        if not topic.endswith(UNTOLD):
            step.records.append(in_words(topic, data, sku_of(id_)))
    for message in messages.values():
        if message.source == service:
            step = step_of(
                steps, service, message.xid, message.causation, message.time, message.actor, messages, received
            )
            step.announces.append(short(message.contract))
    handled = {cause for _, cause in steps}
    yield from steps.values()
    for receipt in received.values():
        if receipt.id in messages and receipt.id not in handled:
            yield NarrativeStep(receipt.at, CONTEXTS[service], short(receipt.contract))


def step_of(
    steps: dict[tuple[str, UUID | None], NarrativeStep],
    service: str,
    xid: str,
    cause: UUID | None,
    at: datetime,
    actor: str,
    messages: Mapping[UUID, AnnouncedMessage],
    received: Mapping[UUID, Receipt],
) -> NarrativeStep:
    """The step of this transaction, which is made when it is not there yet."""
    key = (xid, cause)
    if key not in steps:
        receipt = received.get(cause) if cause else None
        if receipt:
            announced = "" if cause in messages else ", which no service has announced"
            why = f"{short(receipt.contract)}{announced}"
        else:
            why = "a deadline that has passed" if actor == DEADLINE else f"a request of {actor}"
        steps[key] = NarrativeStep(receipt.at if receipt else at, CONTEXTS[service], why)
    return steps[key]
