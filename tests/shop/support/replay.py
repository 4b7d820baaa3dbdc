"""Replay: the recorded steps of an incident, made again by the real workers on real databases and a real broker."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from pika.adapters.blocking_connection import BlockingChannel

from contracts import CONTRACTS
from devstack.incident.collect import collect
from devstack.incident.foreign import ORDER
from devstack.incident.incident import Command, End, Foreign, Incident, Passed, Received, Step
from devstack.incident.receptions import REACTING
from devstack.incident.records import INVENTORY, ORDERS, PAYMENTS, SERVICES, read
from devstack.servers.private import Servers
from inventory_service.commands import receive_stock
from order_service.commands import COMPLETION, UnpricedLine, cancel_order, place_order, put_product
from ordersaga.broker.topology import receives, side_exchange_of
from ordersaga.consumer.worker import Worker
from ordersaga.envelope.message import Cause, Message, message_id, to_properties
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator, UnknownMessage
from ordersaga.runtime.settings import read_settings, url_variable
from ordersaga.service import Service
from ordersaga.store.transaction import decide
from payment_service.commands import REFUND_CHECK, request_part, request_refund
from shop import services
from tests.shop.support import schemas
from tests.shop.support.till import Till
from tests.support.broker import TestBroker
from tests.support.containers import ContainerServers
from tests.support.databases import Database, Databases
from tests.support.party import SAID, message_of
from tests.support.wait import until

__all__ = ["schemas"]

AnyServers = Servers | ContainerServers
SECONDS = 30
"""Longest wait for one step."""
CATCH_UP_SECONDS = 10
"""Longest wait for messages that took effect in the incident, and are parked in its replay."""
CUSTOMER, REASON = "customer-1", "reason-1"
SEALED = "v1.00000000-0000-0000-0000-000000000000.c2VhbGVk"
SHOP = {service.name: service for service in services if service.name in SERVICES}
Settled = tuple[str, UUID]
"""Group and message that this group has."""


@dataclass(frozen=True)
class Replayed:
    """`end` is how everything stood after the recorded steps; `wrong` what was wrong once everything had arrived."""

    end: End
    wrong: list[str]


@contextmanager
def replaying(incident: Incident, servers: AnyServers, databases: Databases, copies: int = 1) -> Iterator[Replayed]:
    """Replay an incident. With `copies`, each message is delivered so often: that must change nothing."""
    replay = Replay(incident, servers, {name: databases(name) for name in SERVICES}, copies)
    with replay:
        for step in incident.steps:
            replay.make(step)
        replay.catch_up()
        end = replay.collected().end
        replay.settle()
        yield Replayed(end, list(replay.collected().wrong))


class Replay:
    """Three workers, each in a thread of this process; a context."""

    def __init__(
        self, incident: Incident, servers: AnyServers, databases: dict[str, Database], copies: int = 1
    ) -> None:
        self.incident = incident
        self.servers = servers
        self.databases = databases
        self.copies = copies
        self.till = Till()
        self.broker = TestBroker(servers.amqp_url("provisioner"))
        self.delivered: set[Settled] = set()
        self.to_take_effect: set[Settled] = set()
        self.foreign: list[tuple[str, UUID]] = []
        self._open = ExitStack()

    def __enter__(self) -> "Replay":
        with ExitStack() as opening:
            opening.callback(self.broker.clean)
            self.broker.declare(*(service.consumer_group(1) for service in SHOP.values()))
            self.channel: BlockingChannel = opening.enter_context(self.broker.channel())
            self.channel.confirm_delivery()
            self.connections = {name: opening.enter_context(each.connect()) for name, each in self.databases.items()}
            for name in SERVICES:
                opening.callback(self.start(name))
            self.furnish()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def start(self, name: str) -> Any:
        """Start the worker of a service. Returns what stops it."""
        service: Service = copy(SHOP[name])
        if name == PAYMENTS:
            service.resources = lambda _: self.till
        settings = read_settings(service.settings, amqp_url=self.servers.amqp_url(name))
        with patch.dict(os.environ, {url_variable(service.database): self.databases[name].url}):
            worker = Worker(settings, service)
        thread = threading.Thread(target=worker.run, name=f"{name} worker")
        thread.start()

        def stop() -> None:
            worker.stopping.set()
            thread.join()

        return stop

    def furnish(self) -> None:
        """The price list and the shelves as the order found them."""
        for line in self.incident.lines:
            put = partial(put_product, sku=line.sku, name=line.sku, unit_price=line.unit_price)
            self.decide(ORDERS, partial(put, currency=self.incident.currency))
        for sku, quantity in self.incident.stock.items():
            if quantity:
                self.decide(INVENTORY, partial(receive_stock, sku=sku, quantity=quantity))

    def decide(self, name: str, command: Any) -> Any:
        return decide(self.connections[name], SHOP[name].announcements, Cause(uuid4(), None, "replay"), command)

    def make(self, step: Step) -> None:
        """Make one step; of a message that was not announced this time, none."""
        self.till.away = isinstance(step, Received) and step.processor == "silent"
        match step:
            case Command():
                self.command(step)
            case Passed():
                self.let_pass(step.group, step.name)
            case Foreign():
                self.deliver_foreign(step)
            case Received():
                self.receive(step)

    def receive(self, step: Received) -> None:
        message = self.message(step)
        if message is None:
            self.catch_up()
            message = self.message(step)
        if message is None:
            return
        self.deliver(step.group, message, is_skipped=step.outcome == "skipped")
        if step.outcome == "effect":
            self.to_take_effect.add((step.group, message.id))

    def message(self, step: Received) -> Message | None:
        """The message of a step, if it is announced."""
        found = [each for each in self.announced() if each.contract == step.contract]
        return found[step.number - 1] if len(found) >= step.number else None

    def catch_up(self) -> None:
        """Wait until what took effect in the incident has done so, if it was parked first; for a while only."""
        self.till.away = False
        with suppress(AssertionError):
            until(self.has_caught_up, seconds=CATCH_UP_SECONDS, every=0.02)

    HURRY = "update parked_messages set next_attempt_at = now() where state = 'retrying' and next_attempt_at > now()"

    def has_caught_up(self) -> bool:
        for group in {group for group, _ in self.to_take_effect}:
            self.connections[group].execute(self.HURRY)
        received = "select exists (select from inbox where message_id = %s)"
        return all(
            self.connections[group].execute(received, (id_,)).fetchone() == (True,)
            for group, id_ in self.to_take_effect
        )

    def command(self, step: Command) -> None:
        match step.action:
            case "place":
                wanted = [UnpricedLine(line.sku, line.quantity) for line in self.incident.lines]
                about = {"customer": CUSTOMER, "unpriced": wanted, "card": self.incident.card}
                contact = SEALED if self.incident.contact else None
                place = partial(place_order, order_id=ORDER, **about, deadline=timedelta(hours=1), contact=contact)  # type: ignore[arg-type]
                self.decide(ORDERS, place)
            case "cancel":
                self.decide(ORDERS, partial(cancel_order, order_id=ORDER, reason=REASON))
            case "refund part":
                self.decide(PAYMENTS, partial(request_part, order_id=ORDER, amount=step.amount, reason=REASON))
            case "refund again":
                self.decide(PAYMENTS, partial(request_refund, order_id=ORDER, reason=REASON))

    def let_pass(self, group: str, name: str) -> None:
        """Have a deadline pass now, if there is one, and wait until the worker has reacted."""
        about = (name, ORDER)
        self.connections[group].execute(
            "update deadlines set due_at = now() where name = %s and aggregate_id = %s", about
        )
        due = "select 1 from deadlines where name = %s and aggregate_id = %s and due_at <= now()"
        until(lambda: not self.connections[group].execute(due, about).fetchone(), seconds=SECONDS, every=0.01)

    def announced(self) -> list[Message]:
        """The messages of the order, those of a service in their order."""
        rows = [row for name in SERVICES for row in self.connections[name].execute(SAID, (0,)).fetchall()]
        return [message for row in rows if (message := message_of(*row)).key == str(ORDER)]

    def deliver(self, group: str, message: Message, is_skipped: bool = False) -> None:
        """To the queue of this group, and wait until it has taken effect or is parked."""
        self.delivered.add((group, message.id))
        for _ in range(self.copies):
            self.publish(group, message)
            until(lambda: self.has(group, message.id), seconds=SECONDS, every=0.005)
        if is_skipped:
            self.skip(group, message.id)

    def publish(self, group: str, message: Message) -> None:
        place, properties = side_exchange_of(group), to_properties(message)
        self.channel.basic_publish(place, message.routing_key, message.body.encode(), properties, mandatory=True)

    HAS = """
    select exists (select from inbox where message_id = %(id)s)
        or exists (select from parked_messages where headers ->> 'ce-id' = %(id)s::text)
        or exists (select from parked_actions where headers ->> 'ce-id' = %(id)s::text)
    """

    def has(self, group: str, id_: UUID) -> bool:
        row = self.connections[group].execute(self.HAS, {"id": id_}).fetchone()
        return bool(row and row[0])

    def deliver_foreign(self, step: Foreign) -> None:
        """A message that its source has not announced."""
        contract = CONTRACTS.get(step.contract)
        source = contract.SOURCE if contract and step.error != "ForeignSource" else "impostor"
        message = Message(
            message_id(source, ORDER, 1000 + len(self.foreign), step.contract),
            step.contract,
            source,
            str(ORDER),
            1000 + len(self.foreign),
            datetime.now(UTC),
            bytes(32),
            Cause(uuid4()),
            step.body,
        )
        if step.error == "ForkedHistory" and (
            real := [one for one in self.announced() if one.contract == step.contract]
        ):
            message = replace(real[0], event_hash=bytes(32))
        self.foreign.append((step.group, message.id))
        self.publish(step.group, message)
        parked = "select exists (select from parked_messages where headers ->> 'ce-id' = %s)"
        until(
            lambda: self.connections[step.group].execute(parked, (str(message.id),)).fetchone() == (True,),
            seconds=SECONDS,
            every=0.005,
        )
        if step.outcome == "skipped":
            self.skip(step.group, message.id)

    def skip(self, group: str, id_: UUID) -> None:
        found = "select message_id from parked_messages where headers ->> 'ce-id' = %s"
        for (parked,) in self.connections[group].execute(found, (str(id_),)).fetchall():
            with suppress(UnknownMessage):
                operations.skip(self.connections[group], parked, Operator("replay", REASON))

    def settle(self) -> None:
        """Skip what nobody announced, then let everything arrive, and the time go on, until nothing is left to do."""
        self.till.away = False
        for group, id_ in self.foreign:
            self.skip(group, id_)
        while self.retry_parked() or self.deliver_rest() or self.check_refunds() or self.time_out():
            pass

    def deliver_rest(self) -> int:
        """Deliver what no group has been given yet. Returns how many it were."""
        left = [
            (group, message)
            for message in self.announced()
            for group, contracts in REACTING.items()
            if receives(contracts, message.contract) and (group, message.id) not in self.delivered
        ]
        for group, message in left:
            self.deliver(group, message)
        return len(left)

    def retry_parked(self) -> int:
        """Have what is parked and may succeed tried again. Returns how many succeeded."""
        return sum(self.retry_in(group) for group in SERVICES)

    DUE = "update parked_messages set next_attempt_at = now() where state = 'retrying' returning position, attempts"
    TRIED = "select count(*) from parked_messages where position = %s and attempts <= %s and state <> 'dead'"
    PARKED = "select count(*) from parked_messages"

    def retry_in(self, group: str) -> int:
        connection = self.connections[group]
        (before,) = connection.execute(self.PARKED).fetchone() or (0,)
        for row in connection.execute(self.DUE).fetchall():
            until(partial(self.is_tried, group, row), seconds=SECONDS, every=0.01)
        until(lambda: not self.is_running(group), seconds=SECONDS, every=0.01)
        (after,) = connection.execute(self.PARKED).fetchone() or (0,)
        return int(before - after)

    def is_tried(self, group: str, row: tuple[int, int]) -> bool:
        return self.connections[group].execute(self.TRIED, row).fetchone() == (0,)

    RUNNING = """
    select exists (select from parked_messages where tried_at is not null or (state = 'waiting' and position in (
        select min(position) from parked_messages group by key)))
    """

    def is_running(self, group: str) -> bool:
        return self.connections[group].execute(self.RUNNING).fetchone() == (True,)

    def check_refunds(self) -> bool:
        """Ask about a refund that is pending, as a deadline would."""
        pending = "select exists (select from deadlines where name = %s)"
        if self.connections[PAYMENTS].execute(pending, (REFUND_CHECK,)).fetchone() != (True,):
            return False
        self.let_pass(PAYMENTS, REFUND_CHECK)
        return True

    def time_out(self) -> bool:
        """Have the deadline of an order pass that can go on in no other way."""
        left = "select exists (select from deadlines where name = %s and aggregate_id = %s)"
        if self.connections[ORDERS].execute(left, (COMPLETION, ORDER)).fetchone() != (True,):
            return False
        self.let_pass(ORDERS, COMPLETION)
        return True

    def collected(self) -> Incident:
        """What an operator would find now."""
        records = read(self.connections, ORDER)
        charged = sum(self.till.charges(ORDER).values())
        back = charged - self.till.kept(ORDER)
        records.charges = [{"amount": charged, "amount_refunded": back, "status": "succeeded"}] if charged else []
        return collect(records)
