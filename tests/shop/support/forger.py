"""Whoever has taken over services and relays of a running stack, and what became of what he forged."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import pika
import psycopg
import requests
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Placeholder

from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.processes import SERVICES, relay_user
from ordersaga.broker.topology import EVENTS
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator, UnknownMessage
from shop import services
from tests.shop.support.forgeries import ForgedDelivery, ForgedRow, Forgery
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

APIS = {
    "order_service": "orders-api",
    "payment_service": "payments-api",
    "inventory_service": "inventory-api",
    "projections": "projections-api",
}
"""Group -> the process that lists what the group has parked."""
PARKED = """
select message_id, headers ->> 'ce-correlationid' as correlation_id, headers ->> 'forgery' as mark, body
from parked_messages
"""
CLAIMED = """
select message_id, headers ->> 'ce-id' as claimed from parked_messages
union all select message_id, null from undeliverable
"""
WAITING = "select message_id from parked_messages union all select message_id from undeliverable"
RECEIVED = {"projections": "select message_id, event_hash from event_log"}
PUBLISHED = "select bool_and(pg_visible_in_snapshot(outbox.xid, published)) from outbox, relay_cursor"


@dataclass(frozen=True)
class Outcome:
    """What became of a forgery."""

    forgery: Forgery
    refused: str = ""
    """Why a database or the broker did not take it."""
    undeliverable: str = ""
    """Why the relay of its service does not publish it."""
    parked: frozenset[str] = frozenset()
    """The groups that hold it for a person."""
    received: frozenset[str] = frozenset()
    """The groups in which it took effect."""
    routed: frozenset[str] = frozenset()
    """The groups that the broker gave it to, if it is published."""

    @property
    def is_named(self) -> bool:
        """Whether it did not come in, or each of the groups that it came to has it, of which there is one."""
        arrived = bool(self.routed) and self.routed <= self.parked | self.received
        return bool(self.refused or self.undeliverable) or arrived

    def __str__(self) -> str:
        what = self.refused or self.undeliverable or f"parked {set(self.parked)}, received {set(self.received)}"
        return f"{self.forgery.name}, by {self.forgery.service}: {what} of {set(self.routed)}"


class Forger:
    """Has the database roles of the services and the broker users of their relays, and no other account."""

    def __init__(self, stack: WholeStack) -> None:
        self.stack = stack
        self.accounts = Environments(stack.state, ExternalServers())
        self.refusals: dict[int, str] = {}
        self.forgeries: list[Forgery] = []

    def send(self, forgeries: Iterable[Forgery]) -> None:
        """Send all, each through its door."""
        for forgery in forgeries:
            self.forgeries.append(forgery)
            try:
                self.insert(forgery) if isinstance(forgery, ForgedRow) else self.publish(forgery)
            except (psycopg.Error, AMQPError, UnicodeError, ValueError) as refusal:
                self.refusals[id(forgery)] = repr(refusal) or "refused"

    def insert(self, row: ForgedRow) -> None:
        statement = SQL("insert into outbox ({}) values ({})").format(
            SQL(", ").join(map(Identifier, row.columns)), SQL(", ").join(map(Placeholder, row.columns))
        )
        with psycopg.connect(self.accounts.database_url(row.service, row.service), autocommit=True) as connection:
            connection.execute(statement, row.columns)

    def publish(self, message: ForgedDelivery) -> None:
        """Raises AMQPError when the broker refuses it or routes it to no queue."""
        with self.channel(relay_user(message.service)) as channel:
            channel.confirm_delivery()
            channel.basic_publish(
                EVENTS,
                message.routing_key,
                message.body,
                message.amqp_properties(),
                mandatory=True,
            )

    @contextmanager
    def channel(self, user: str) -> Iterator[BlockingChannel]:
        connection = pika.BlockingConnection(pika.URLParameters(self.accounts.amqp_url(user)))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def outcomes(self, seconds: float = 30) -> list[Outcome]:
        """What became of all, once each is named or the time is over."""
        try:
            until(lambda: all(map(self.is_published, SERVICES)), seconds, every=0.1)
            until(lambda: all(outcome.is_named for outcome in self.look()), seconds, every=0.3)
        except AssertionError:
            """The test says which are not."""
        return self.look()

    def is_published(self, service: str) -> bool:
        return self.stack.rows(service, PUBLISHED)[0][0] is not False

    def look(self) -> list[Outcome]:
        parked = {group: self.read(group, PARKED) for group in APIS}
        ids = {group: received_in(self.stack, group) for group in APIS}
        undeliverable = {
            service: {
                row["correlation_id"]: f"{row['kind']}: {row['reason']}"
                for row in self.read(service, "select correlation_id::text, kind, reason from undeliverable")
            }
            for service in SERVICES
        }
        return [self.outcome(forgery, parked, ids, undeliverable[forgery.service]) for forgery in self.forgeries]

    def outcome(
        self,
        forgery: Forgery,
        parked: dict[str, list[dict[str, Any]]],
        received: dict[str, set[tuple[UUID, bytes]]],
        undeliverable: dict[str, str],
    ) -> Outcome:
        body = forgery.mark.encode()
        return Outcome(
            forgery,
            self.refusals.get(id(forgery), ""),
            undeliverable.get(forgery.mark, "") if isinstance(forgery, ForgedRow) else "",
            frozenset(
                group
                for group, rows in parked.items()
                if any(forgery.mark in (row["correlation_id"], row["mark"]) or body in row["body"] for row in rows)
            ),
            frozenset(group for group, ids in received.items() if identity(forgery) in ids),
            frozenset(group for group in APIS if any(is_bound(group, key) for key in forgery.routing_keys)),
        )

    def read(self, database: str, query: LiteralString) -> list[dict[str, Any]]:
        with psycopg.connect(self.stack.urls[database], row_factory=dict_row) as connection:
            return connection.execute(SQL(query)).fetchall()

    def listed(self, group: str) -> set[UUID]:
        """The messages that GET /parked lists, over all pages."""
        found: set[UUID] = set()
        headers = {"Authorization": f"Bearer {self.stack.token('auditor', 'aud')}"}
        after = None
        while True:
            url = f"{self.stack.url(APIS[group])}/parked"
            answer = requests.get(url, params={"after": after} if after else {}, headers=headers, timeout=20)
            assert answer.ok, answer.text
            page = answer.json()
            found |= {UUID(row["message_id"]) for row in page["messages"]}
            after = page["next"]
            if after is None:
                return found

    def waiting(self, group: str) -> set[UUID]:
        """The messages that wait for a person in the database of the group."""
        return {row["message_id"] for row in self.read(group, WAITING)}

    def forged(self, group: str) -> set[UUID]:
        """The messages that wait for a person and that are forgeries, or follow from one."""
        marks = {mark for forgery in self.forgeries for mark in marks_of(forgery)}
        bodies = [forgery.mark.encode() for forgery in self.forgeries if isinstance(forgery, ForgedDelivery)]
        found = {
            row["message_id"]
            for row in self.read(group, PARKED)
            if marks & {row["correlation_id"], row["mark"]} or any(body in row["body"] for body in bodies)
        }
        refused = self.read(group, "select message_id, correlation_id::text as mark from undeliverable")
        return found | {row["message_id"] for row in refused if row["mark"] in marks}

    def decide(self) -> None:
        """As an operator who looks at each message that waits: skip what is forged, then retry what is real."""
        for group in APIS:
            while found := self.forged(group):
                self.act(group, operations.skip, found)
            self.act(group, operations.retry, self.waiting(group))

    def act(self, group: str, action: Callable[..., object], ids: Iterable[UUID]) -> None:
        for message_id in ids:
            with psycopg.connect(self.stack.urls[group]) as connection, suppress(UnknownMessage):
                action(connection, message_id, Operator("operator", "forged"))


def marks_of(forgery: Forgery) -> list[str]:
    """What is in the rows of a forgery and of what follows from it."""
    if isinstance(forgery, ForgedRow):
        return [forgery.mark]
    return [forgery.mark, str((forgery.headers or {}).get("ce-correlationid"))]


def received_in(stack: WholeStack, group: str) -> set[tuple[UUID, bytes]]:
    """(id, event hash) of all messages that took effect in a group."""
    query = RECEIVED.get(group, "select message_id, event_hash from inbox")
    return {(id_, bytes(hash_)) for id_, hash_ in stack.rows(group, query)}


def identity(forgery: Forgery) -> tuple[UUID, bytes] | None:
    """(id, event hash) that it claims, where these are readable."""
    headers = getattr(forgery, "headers", None) or {}
    try:
        if isinstance(forgery, ForgedRow):
            return forgery.columns["message_id"], forgery.columns["event_hash"]
        return UUID(headers["ce-id"]), bytes.fromhex(headers["ce-eventhash"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def is_bound(group: str, routing_key: str) -> bool:
    """Whether a queue of the group is bound to the routing key."""
    contracts = next(service.contracts for service in services if service.name == group)
    return any(
        re.fullmatch(rf"{pattern}\.(0\d|1[0-5])", routing_key, re.DOTALL)
        for pattern in (re.escape(name).replace(r"\*", r"[^.]*") for name in contracts)
    )


def unnamed(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome) for outcome in outcomes if not outcome.is_named]
