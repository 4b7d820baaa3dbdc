"""A read side with subscriptions, and the webhook process in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from ordersaga.database.migrate import migrate
from ordersaga.envelope.message import Message
from ordersaga.parked.operator import Operator
from ordersaga.readside import event_log
from ordersaga.webhooks import deliveries, subscriptions
from ordersaga.webhooks.collecting import Feed
from ordersaga.webhooks.deliveries import WebhookDelivery
from ordersaga.webhooks.destination import Guard
from ordersaga.webhooks.sealing import SecretBox
from ordersaga.webhooks.sender import WebhookSender
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.subscriptions import NewSubscription, SubscriptionStatus
from tests.support.counting import GROUP, CountKept
from tests.support.counting_read_side import read_side
from tests.support.databases import Database
from tests.support.webhook_receiver import Receiver
from tests.support.workers import counted

KEY = "c2VhbHMgdGhlIHNlY3JldHMgb2Ygc3Vic2NyaXB0aW8"
OLGA = Operator("olga", "for the test")
TABLE = """
create table alarms_told (position bigint generated always as identity, change text, at timestamptz default now(),
    name text, subject text, severity text, text text, address text)
"""
GRANT = f"grant select on alarms_told to {GROUP}"
ALARM_CHANGES = "select * from alarms_told where position > %(after)s order by position limit %(limit)s"
SOURCE = Feed("kept", {CountKept.NAME: CountKept}, ALARM_CHANGES, "https://ops.example/dashboard")


def settings(**named: Any) -> WebhookSettings:
    """Loopback is allowed."""
    given = {"webhook_allow": "127.0.0.1", "webhook_http": True, "webhook_secrets_key": KEY}
    return WebhookSettings(**{**given, "webhook_timeout_seconds": 5, **named})


def webhooks_on(database: Database) -> Iterator["Webhooks"]:
    """A database of the counting service with the tables of a read side; yields once."""
    migrate(read_side.schema, database.owner_url)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(TABLE)
        owner.execute(GRANT)
    with database.connect() as connection:
        yield Webhooks(database, connection)


@dataclass
class Webhooks:
    """One database with the tables of a read side."""

    database: Database
    connection: Connection[Any]

    def add(
        self, receiver: Receiver, path: str = "/", events: tuple[str, ...] = (CountKept.NAME,), **more: Any
    ) -> UUID:
        return self.add_with_secret(receiver, path, events, **more)[0]

    def add_with_secret(
        self, receiver: Receiver, path: str = "/", events: tuple[str, ...] = (CountKept.NAME,), **more: Any
    ) -> tuple[UUID, str]:
        wanted, given = NewSubscription(receiver.url + path, events, **more), settings()
        contracts, box = SOURCE.contracts, SecretBox(KEY)
        return subscriptions.add(self.connection, wanted, contracts, Guard(given), box, OLGA)

    def log(self, *messages: Message) -> None:
        with self.connection.transaction():
            event_log.lock(self.connection)
            event_log.append(self.connection, messages)

    def log_some(self, number: int = 1, key: UUID | None = None) -> list[str]:
        """Log messages of one key. Returns their ids."""
        key = key or uuid4()
        messages = [counted(key, each, CountKept) for each in range(1, number + 1)]
        self.log(*messages)
        return [str(message.id) for message in messages]

    def status(self, id_: UUID) -> SubscriptionStatus:
        return subscriptions.fetch_one(self.connection, id_)

    def deliveries(self, id_: UUID) -> list[WebhookDelivery]:
        """The oldest first."""
        return deliveries.page(self.connection, id_)[::-1]

    def states(self, id_: UUID) -> list[str]:
        return [each.state for each in self.deliveries(id_)]

    @contextmanager
    def sending(self, **named: Any) -> Iterator[WebhookSender]:
        """The webhook process, in a thread."""
        stop = threading.Event()
        sender = WebhookSender(self.database.url, SOURCE, settings(**named), stop)
        thread = threading.Thread(target=sender.run)
        thread.start()
        try:
            yield sender
        finally:
            stop.set()
            thread.join()
