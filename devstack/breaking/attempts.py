"""Attempts of a taken-over service: what it tries with its own accounts, and what became of it."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pika
import psycopg
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from devstack.breaking.channel import broker_channel
from devstack.breaking.scene import Scene
from devstack.processes import relay_user
from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import partition_of
from ordersaga.http.tokens import issue

TAKEN_OVER, VICTIM = "payment_service", "order_service"
QUEUE = f"{VICTIM}.0"
CANCELLED, DECLINED = "orders.order_cancelled.v1", "payments.payment_declined.v1"
REFUSED = (psycopg.Error, AMQPError, PermissionError)
ALTER = "update stored_events set actor = 'nobody'"
INSERT = """
insert into outbox (message_id, contract, source, key, sequence, time, event_hash, correlation_id, causation_id, actor,
    traceparent, tracestate, body)
values (%(id)s, %(contract)s, %(source)s, %(key)s, 1, now(), %(hash)s, %(flow)s, null, 'impostor', '', '', %(body)s)
"""


@dataclass(frozen=True)
class Attempt:
    """`do` raises one of REFUSED when a server refuses it."""

    who: str
    """The account, such as `the database role of payments`."""
    what: str
    do: Callable[[], object]


@dataclass(frozen=True)
class Forged:
    """A message that no server can refuse, because it comes from an account that may send messages."""

    what: str
    id: UUID
    """The id that it claims."""
    mark: UUID
    """Its correlation id, by which it is found."""
    key: UUID
    """The order that it is about."""


@dataclass
class Impostor:
    """Has what the processes of payments have: a database role, the broker users of its worker and of its relay."""

    scene: Scene
    order: UUID
    """The order of somebody else."""

    def attempts(self) -> Iterator[Attempt]:
        """Those that a server refuses at once."""
        role = "the database role of payments"
        relay, worker = "the broker user of payments' relay", "the broker user of payments' worker"
        yield Attempt(role, "connects to the database of orders", lambda: self.sql(VICTIM, "select 1"))
        yield Attempt(role, "alters a recorded event", lambda: self.sql(TAKEN_OVER, ALTER))
        yield Attempt(role, "deletes recorded events", lambda: self.sql(TAKEN_OVER, "delete from stored_events"))
        yield Attempt(role, "announces a cancellation in the name of orders", lambda: self.announce(VICTIM, CANCELLED))
        yield Attempt(relay, "publishes a cancellation, a message of orders", self.publish_as_orders)
        yield Attempt(relay, "publishes straight into a queue of orders", self.publish_into_queue)
        yield Attempt(worker, "reads a queue of orders", lambda: self.ask(lambda c: c.basic_get(QUEUE)))
        yield Attempt(worker, "empties a queue of orders", lambda: self.ask(lambda c: c.queue_purge(QUEUE)))
        yield Attempt(worker, "makes a queue to listen to everything", lambda: self.ask(self.listen))
        yield Attempt("no account", "prices a product with an operator's token that it has signed himself", self.sign)

    def forge(self) -> Iterator[Forged]:
        """Send what its accounts may send, and what is not true."""
        yield self.announce(TAKEN_OVER, CANCELLED)
        yield self.publish("publishes a cancellation under a routing key of payments", CANCELLED, VICTIM)
        yield self.publish("publishes it with a copy for the right routing key", CANCELLED, VICTIM, copies=True)

    def lie(self) -> Forged:
        """What nobody can refuse: a message of its own, under its own name, which is not true."""
        return self.publish("publishes, in the name of payments, that the card of ben was declined", DECLINED)

    def sql(self, database: str, statement: LiteralString, **parameters: object) -> None:
        url = self.scene.environments.database_url(database, TAKEN_OVER)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement, parameters or None)

    def announce(self, source: str, contract: str) -> Forged:
        """Insert a row into its own outbox."""
        body = json.dumps({"order_id": str(self.order), "reason": "impostor"})
        new = Forged(
            f"inserts {contract}, a message of orders, into the outbox of payments", uuid4(), uuid4(), self.order
        )
        named = {"id": new.id, "contract": contract, "source": source, "key": str(self.order)}
        self.sql(TAKEN_OVER, INSERT, **named, hash=secrets.token_bytes(32), flow=new.mark, body=body)
        return new

    def publish(
        self, what: str, contract: str, source: str = TAKEN_OVER, *, key: str = DECLINED, copies: bool = False
    ) -> Forged:
        """Publish a message of `contract` with the routing key of `key`; `copies` adds its own, in the header CC."""
        new, partition = Forged(what, uuid4(), uuid4(), self.order), f"{partition_of(str(self.order)):02d}"
        headers: dict[str, Any] = {
            "ce-specversion": "1.0",
            "ce-id": str(new.id),
            "ce-source": source,
            "ce-type": contract,
            "ce-subject": str(self.order),
            "ce-time": datetime.now(UTC).isoformat(),
            "ce-sequence": "2",
            "ce-eventhash": secrets.token_hex(32),
            "ce-correlationid": str(new.mark),
            "ce-actor": "impostor",
            **({"CC": [f"{contract}.{partition}"]} if copies else {}),
        }
        body = json.dumps({"order_id": str(self.order), "reason": "impostor"}).encode()
        properties = pika.BasicProperties(headers=headers, content_type="application/json", delivery_mode=2)
        with broker_channel(self.scene.environments, relay_user(TAKEN_OVER)) as channel:
            channel.basic_publish(EVENTS, f"{key}.{partition}", body, properties)
        return new

    def publish_as_orders(self) -> None:
        self.publish("", CANCELLED, VICTIM, key=CANCELLED)

    def publish_into_queue(self) -> None:
        with broker_channel(self.scene.environments, relay_user(TAKEN_OVER)) as channel:
            channel.basic_publish("", QUEUE, b"{}")

    def ask(self, action: Callable[[BlockingChannel], object]) -> None:
        with broker_channel(self.scene.environments, TAKEN_OVER) as channel:
            action(channel)

    def listen(self, channel: BlockingChannel) -> None:
        channel.queue_declare("impostor.0")
        channel.queue_bind("impostor.0", EVENTS, "#")

    def sign(self) -> None:
        """Raises PermissionError."""
        key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        answer = requests.put(
            f"{self.scene.url('orders-api')}/products/break-free",
            json={"name": "free", "unit_price": 1, "currency": "EUR"},
            headers={"Authorization": f"Bearer {issue(key, 'operator', 'impostor', timedelta(hours=1))}"},
            timeout=10,
            proxies={"http": ""},
        )
        if answer.status_code in (401, 403):
            raise PermissionError(f"{answer.status_code}: {answer.json()['detail']}")


def said(refusal: Exception) -> str:
    """In one line, as the server said it."""
    if isinstance(refusal, ChannelClosedByBroker):
        return str(refusal.reply_text)
    return (str(refusal).strip() or repr(refusal)).splitlines()[0]
