"""`duplicate-storm`: every message is delivered many times."""

import random
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import psycopg
import requests

from devstack.breaking.channel import broker_channel
from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from devstack.processes import CONTEXTS, GROUPS
from ordersaga.broker.group_status import group_status
from ordersaga.broker.topology import EVENTS
from ordersaga.cli.errors import CannotRunHere
from ordersaga.envelope.message import COLUMNS, Message, from_row, to_properties

SKU = "break-book"
ORDERS, DECLINED = 5, 2
COPIES = 20
ANNOUNCED = f"select {', '.join(COLUMNS)} from outbox where key = any(%s) order by position"  # noqa: S608 - constants
EFFECTS = "select count(*) from inbox where message_id = any(%s)"
LOGGED = "select count(*) from event_log where message_id = any(%s)"
RECORDED = "select count(*) from stored_events where originator_id = any(%s)"
DROPPED = re.compile(r"^ordersaga_messages_deduplicated_total\{[^}]*\} (\S+)$", re.MULTILINE)


class DuplicateStorm(FailureScenario):
    name = "duplicate-storm"
    about = (
        "No broker delivers every message exactly once: after a lost confirmation the sender sends again, after a "
        "lost acknowledgement the broker delivers again. So a message may come twice, and late, after others that "
        "followed it. Each service keeps the ids of the messages that it has received in its inbox, and writes an id "
        "in the same transaction as the effect: a copy finds its id there and is dropped. Delivery is at least once, "
        "the effect exactly once."
    )
    does = f"Every message of {ORDERS + DECLINED} orders is delivered {COPIES} more times, in random order, twice."
    expect = "Each message takes effect once in each service that wants it; the copies are counted as duplicates."
    heals = "It is over when the queues are empty."
    pages = ("infrastructure", "orders")
    commands = ("queues show", "reconcile")
    skus = (SKU,)

    sent = 0
    dropped_before: Mapping[str, float] = {}

    def check(self) -> None:
        if self.scene.external.amqp or self.scene.external.databases:
            raise CannotRunHere("The servers are your own: `duplicate-storm` publishes only on private ones.")

    def prepare(self) -> None:
        self.scene.stock(SKU, ORDERS + DECLINED)
        self.dropped_before = self.dropped()

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        for number in range(ORDERS):
            self.scene.place(
                SKU, customer="ann", title="ann, whose every message came many times" if not number else ""
            )
        for _ in range(DECLINED):
            self.scene.place(SKU, customer="ben", card="pm_card_chargeDeclined")
        self.say(f"ann orders {ORDERS} books, one each; ben orders {DECLINED}, with a card that his bank declines.")
        self.scene.until(lambda: len(self.announced()) > ORDERS, "the first messages")
        self.say(f"While the orders are under way, {self.storm()}.")
        self.scene.until(lambda: self.scene.ask() and self.scene.have_ended(), "the end of the orders")
        self.say(f"Every order has ended. The stores have {self.counted()}.")
        return f"Once more, {self.storm()}."

    def storm(self) -> str:
        """Publish copies of everything that was announced so far."""
        messages = self.announced()
        copies = messages * COPIES
        random.shuffle(copies)
        with broker_channel(self.scene.environments) as channel:
            for message in copies:
                channel.basic_publish(EVENTS, message.routing_key, message.body.encode(), to_properties(message))
        self.sent += len(copies)
        return f"all {len(messages)} messages so far are published {COPIES} more times, {len(copies)} copies in all"

    def announced(self) -> list[Message]:
        """Every message of these orders, as its service has announced it."""
        keys = [str(order) for order in self.scene.orders]
        rows = [row for service in CONTEXTS for row in self.rows(service, ANNOUNCED, keys)]
        return [from_row(row) for row in rows]

    def rows(self, database: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.scene.environments.owner_urls()[database]) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def counted(self) -> str:
        """The effects of these orders' messages, from the inboxes and the event stores."""
        ids = [message.id for message in self.announced()]
        effects = sum(self.rows(group, LOGGED if group == GROUPS[-1] else EFFECTS, ids)[0][0] for group in GROUPS)
        events = sum(self.rows(service, RECORDED, list(self.scene.orders))[0][0] for service in CONTEXTS)
        return f"{len(ids)} messages, which took effect {effects} times in {len(GROUPS)} groups, and {events} events"

    def in_queues(self) -> int:
        """Messages that wait in the queues of all groups, or are being handled."""
        with broker_channel(self.scene.environments) as channel:
            return sum(group_status(channel.connection, group).ready for group in GROUPS)

    def dropped(self) -> Mapping[str, float]:
        """Copies that each worker has counted as duplicates."""
        found = {}
        for context in (*CONTEXTS.values(), GROUPS[-1]):
            answer = requests.get(f"{self.scene.url(f'{context}-worker')}/metrics", timeout=5, proxies={"http": ""})
            found[context] = sum(map(float, DROPPED.findall(answer.text)))
        return found

    def seen(self) -> str:
        return f"{super().seen()} In the queues: {self.in_queues()}."

    def is_healed(self) -> bool:
        return super().is_healed() and not self.in_queues()

    def findings(self) -> Sequence[str]:
        now, before = self.dropped(), self.dropped_before
        dropped = ", ".join(f"{name} {now[name] - before[name]:.0f}" for name in now)
        return [
            f"{self.sent} copies were published. The stores have {self.counted()}.",
            f"Copies that the workers have counted as duplicates and dropped: {dropped}.",
        ]


on_running_stack = command_of(DuplicateStorm)
on_own_stack = chaos_command_of(DuplicateStorm)
