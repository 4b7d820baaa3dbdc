"""Consumers and customers of the saga as threads, each with a connection of its own."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Queue
from threading import Lock
from uuid import UUID

from order_service.commands import cancel_order
from ordersaga.envelope.message import Message
from ordersaga.runtime.errors import AlreadyReceived, Conflict
from tests.shop.support.saga import Saga
from tests.support.party import DatabaseParty
from tests.support.wait import until

QUEUES = 2


class Crowd:
    """Two queues a group, as by default in the real thing; some messages come twice."""

    def __init__(self, saga: Saga, chance: random.Random) -> None:
        self.saga = saga
        self.chance = chance
        self.routing = Lock()
        self.queues: dict[tuple[str, int], Queue[Message | None]] = {
            (group, number): Queue() for group in saga.parties for number in range(QUEUES)
        }
        self.seen: set[UUID] = set()
        self.put = 0
        self.handled = 0
        self.contended = 0

    def run(self, threads: ThreadPoolExecutor, cancelled: Sequence[UUID]) -> None:
        """Returns when everything has been handled.

        Raises:
            Whatever a consumer or a customer raised.
        """
        consumers = [threads.submit(self.consume, group, number) for group, number in self.queues]
        customers = [threads.submit(self.cancel, half) for half in (cancelled[::2], cancelled[1::2])]
        try:
            with self.routing:
                for group in self.saga.parties:
                    self.route_from(group)
            for customer in customers:
                customer.result()
            until(lambda: self.is_quiet() or any(consumer.done() for consumer in consumers), seconds=60)
        finally:
            for queue in self.queues.values():
                queue.put(None)
        for consumer in consumers:
            consumer.result()

    def is_quiet(self) -> bool:
        with self.routing:
            return self.handled == self.put

    def consume(self, group: str, number: int) -> None:
        party = self.party(group)
        try:
            while message := self.queues[group, number].get():
                self.handle(party, message)
                with self.routing:
                    self.route_from(group)
                    self.handled += 1
        finally:
            party.close()

    def handle(self, party: DatabaseParty, message: Message) -> None:
        """As a worker does: ask outside, then react, and again if someone else was first."""
        answer = (party.ask(message),) if party.reactor.reactions[message.contract].outside else ()
        while True:
            try:
                return party.react(message, *answer)
            except (Conflict, AlreadyReceived):
                self.contended += 1

    def cancel(self, orders: Sequence[UUID]) -> None:
        party = self.party("order_service")
        try:
            for order_id in orders:
                time.sleep(self.chance.uniform(0, 0.05))
                party.decide(partial(cancel_order, order_id=order_id, reason="changed my mind"))
                with self.routing:
                    self.route_from("order_service")
        finally:
            party.close()

    def party(self, group: str) -> DatabaseParty:
        party = self.saga.parties[group]
        assert isinstance(party, DatabaseParty)
        return party.beside()

    def route_from(self, source: str) -> None:
        """What is new in an outbox goes to each group that reacts to it, now and then twice."""
        for message in self.saga.parties[source].said_after(0):
            if message.id not in self.seen:
                self.seen.add(message.id)
                for group, reader in self.saga.parties.items():
                    if message.contract in reader.reactions.by_contract:
                        for _ in range(self.chance.choice((1, 1, 1, 2))):
                            self.put += 1
                            self.queues[group, message.partition % QUEUES].put(message)
