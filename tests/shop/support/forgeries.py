"""Forged messages: what whoever has taken over a service or its relay can try to make others believe.

`named_cases` are inputs that once did harm; `random_forgeries` mutate sound messages with a seed.
"""

import json
import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pika import BasicProperties

from ordersaga.envelope.message import partition_of

SERVICES = ("order_service", "payment_service", "inventory_service")
ORDER = "order_service"
UNLIKELY_TEXTS = (
    "",
    " ",
    "x",
    "#",
    "*.*.*",
    "a.b",
    "nonsense.of_nobody.v1",
    "orders.order_placed.v2",
    "'; drop table outbox; --",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A1",
    "\u202ereversed",
    "\n\r\t",
    "Tasse, groß/日本 🙂",
    "k" * 300,
    "k" * 90_000,
)
UNLIKELY_TIMES = ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59+00", "-infinity", "infinity", "1969-07-20 20:17:40+00")
UNLIKELY_NUMBERS = (-1, 0, 2**31, 2**63 - 1)
UNLIKELY_HASHES = (b"", b"\0", bytes(31), bytes(33), bytes(64), b"x" * 100_000)
UNLIKELY_BODIES = (
    "",
    "{}",
    "null",
    "[]",
    '"text"',
    "{",
    "NaN",
    '{"order_id": 1}',
    "[" * 5000 + "]" * 5000,
    '{"a":' * 5000 + "1" + "}" * 5000,
    "\ufeff{}",
    '{"order_id": "\\ud800"}',
    '{"order_id": "\\u0000"}',
)
UNLIKELY_TRACES = ("x", "00", "00-zz-zz-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "0" * 10_000, "\n")
UNLIKELY_VALUES: tuple[Any, ...] = (
    None,
    True,
    7,
    -(2**63),
    b"bytes",
    b"\xff\xfe",
    [],
    [[1], {"a": None}],
    {"a": {"b": []}},
    "",
)
UNLIKELY_VALUES_OF_AMQP = (*UNLIKELY_VALUES, datetime(1970, 1, 1, tzinfo=UTC), 2**31)


@dataclass(frozen=True)
class ForgedRow:
    """An outbox row that the database role of a service inserts."""

    name: str
    service: str
    columns: Mapping[str, Any]

    @property
    def mark(self) -> str:
        """The correlation id: what becomes of the row is found by it."""
        return str(self.columns["correlation_id"])

    @property
    def routing_keys(self) -> Sequence[str]:
        return [f"{self.columns['contract']}.{partition_of(self.columns['key']):02d}"]

    @property
    def claimed_source(self) -> Any:
        return self.columns["source"]


@dataclass(frozen=True)
class ForgedDelivery:
    """A message that the broker user of a service's relay publishes."""

    name: str
    service: str
    routing_key: str | bytes
    headers: Mapping[str, Any] | None
    body: bytes
    mark: str
    """In the header `forgery`, or else in the body."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    raw_headers: bytes = b""
    """An encoded AMQP table in place of `headers`, for what pika does not write."""

    @property
    def routing_keys(self) -> Sequence[str]:
        keys = [self.routing_key, *copies(self.headers)]
        return [key if isinstance(key, str) else key.decode("latin-1") for key in keys]

    @property
    def claimed_source(self) -> Any:
        return (self.headers or {}).get("ce-source")

    def amqp_properties(self) -> BasicProperties:
        if self.raw_headers:
            return RawHeaders(self.raw_headers)
        marked = None if self.headers is None else {**self.headers, "forgery": self.mark}
        return BasicProperties(headers=marked, **self.properties)


Forgery = ForgedRow | ForgedDelivery


class RawHeaders(BasicProperties):  # type: ignore[misc]
    """Properties with this table as their headers, and nothing else."""

    def __init__(self, table: bytes) -> None:
        super().__init__()
        self.table = table

    def encode(self) -> list[bytes]:
        return [struct.pack(">H", self.FLAG_HEADERS), self.table]


def copies(headers: Mapping[str, Any] | None) -> list[str]:
    """The further routing keys of a message: RabbitMQ reads them in the headers CC and BCC."""
    lists = [value for name in ("CC", "BCC") if isinstance(value := (headers or {}).get(name), list)]
    return [key for keys in lists for key in keys if isinstance(key, str)]


def raw_table(name: bytes, value: bytes) -> bytes:
    """An encoded AMQP table of one field; `value` begins with its type."""
    entry = struct.pack("B", len(name)) + name + value
    return struct.pack(">I", len(entry)) + entry


@dataclass(frozen=True)
class Announced:
    """A sound message of a service, to be forged."""

    service: str
    contract: str
    key: str
    body: Mapping[str, Any]

    def columns(self, **changed: Any) -> dict[str, Any]:
        """The values of its outbox row."""
        sound = {
            "message_id": uuid4(),
            "contract": self.contract,
            "source": self.service,
            "key": self.key,
            "sequence": 1,
            "time": datetime.now(UTC),
            "event_hash": random.randbytes(32),
            "correlation_id": uuid4(),
            "causation_id": None,
            "actor": "forger",
            "traceparent": "",
            "tracestate": "",
            "body": json.dumps(self.body),
        }
        return {**sound, **changed}

    def headers(self, **changed: Any) -> dict[str, Any]:
        """The headers of its delivery; None removes one, and `_` in a name stands for `-`."""
        sound = {
            "ce-specversion": "1.0",
            "ce-id": str(uuid4()),
            "ce-source": self.service,
            "ce-type": self.contract,
            "ce-subject": self.key,
            "ce-time": datetime.now(UTC).isoformat(),
            "ce-sequence": "1",
            "ce-eventhash": random.randbytes(32).hex(),
            "ce-correlationid": str(uuid4()),
            "ce-actor": "forger",
        }
        merged = {**sound, **{name.replace("_", "-"): value for name, value in changed.items()}}
        return {name: value for name, value in merged.items() if value is not None}

    @property
    def routing_key(self) -> str:
        return f"{self.contract}.{partition_of(self.key):02d}"

    def row(self, name: str, by: str = "", **changed: Any) -> ForgedRow:
        return ForgedRow(name, by or self.service, self.columns(**changed))

    def delivery(self, name: str, by: str = "", **changed: Any) -> ForgedDelivery:
        body = json.dumps(self.body).encode()
        return ForgedDelivery(name, by or self.service, self.routing_key, self.headers(**changed), body, str(uuid4()))


def sound_messages(order_id: UUID) -> dict[str, Announced]:
    """One message of each service about this order, as the service itself would announce it."""
    key = str(order_id)
    line = {"sku": "tea", "quantity": 1}
    placed = {
        "order_id": key,
        "customer": "mallory",
        "lines": [{**line, "unit_price": 350}],
        "total": 350,
        "currency": "EUR",
        "card": "pm_card_visa",
    }
    captured = {"order_id": key, "charge_id": "ch_forged", "amount": 350, "currency": "EUR"}
    return {
        ORDER: Announced(ORDER, "orders.order_placed.v1", key, placed),
        "payment_service": Announced("payment_service", "payments.payment_captured.v1", key, captured),
        "inventory_service": Announced(
            "inventory_service", "inventory.stock_rejected.v1", key, {"order_id": key, "reason": "forged"}
        ),
    }


def named_cases() -> Iterator[Forgery]:
    """Inputs that once did harm, each about an order of its own."""
    placed, captured, _ = sound_messages(uuid4()).values()
    yield captured.row("in another's name", by="inventory_service")
    yield captured.row("another's contract under its own name", by="inventory_service", source="inventory_service")
    yield captured.delivery("in another's name past the relay", by="inventory_service")
    rejected = sound_messages(uuid4())["inventory_service"]
    hidden = captured.delivery("under its own routing key", by="inventory_service")
    yield replace(hidden, routing_key=rejected.routing_key)
    for name in ("CC", "BCC"):
        copied = captured.delivery(f"copied by {name}", by="inventory_service", **{name: [captured.routing_key]})
        yield ForgedDelivery(
            copied.name, copied.service, rejected.routing_key, copied.headers, copied.body, copied.mark
        )
    yield placed.row("no hash", event_hash=b"", body="{}")
    yield placed.row("no content", body="{}")
    yield placed.delivery("no hash past the relay", ce_eventhash="")
    for trace in UNLIKELY_TRACES:
        yield placed.row(f"traceparent {trace[:20]!r}", traceparent=trace)
    yield placed.delivery("a broken traceparent past the relay", traceparent="x")
    for quantity in (0, -5, 10**30):
        lines = [{**placed.body["lines"][0], "quantity": quantity}]
        about = sound_messages(uuid4())[ORDER]
        yield about.row(f"quantity {quantity}", body=json.dumps({**about.body, "lines": lines}))
    about = sound_messages(uuid4())[ORDER]
    yield about.row("an amount that no column holds", body=json.dumps({**about.body, "total": 10**30}))
    for time in UNLIKELY_TIMES:
        yield placed.row(f"time {time}", time=time)
    yield placed.delivery("year 1 past the relay", ce_time="0001-01-01T00:00:00+00:00")
    yield placed.delivery("year 9999 past the relay", ce_time="9999-12-31T23:59:59+00:00")
    yield placed.row("the subject of another order", key=str(uuid4()))
    yield placed.row("a key of 90,000 characters", key="k" * 90_000)
    yield placed.row("a contract of 300 characters", contract="c" * 300)
    yield placed.row("a body nested 5,000 deep", body="[" * 5000 + "]" * 5000)
    nested = placed.delivery("a body nested 5,000 deep past the relay")
    yield ForgedDelivery(nested.name, ORDER, nested.routing_key, nested.headers, b"[" * 5000 + b"]" * 5000, nested.mark)
    yield from undecodable(placed)


def undecodable(sound: Announced) -> Iterator[ForgedDelivery]:
    """Headers that RabbitMQ passes on and that a client cannot read."""
    tables = {
        "a timestamp beyond all calendars": raw_table(b"ce-time", b"T" + b"\xff" * 8),
        "20,000 arrays in one another": raw_table(b"deep", nested_arrays(20_000)),
        "a header named in no encoding": raw_table(b"\xff\xfe", b"V"),
    }
    for name, table in tables.items():
        mark = str(uuid4())
        yield ForgedDelivery(name, sound.service, sound.routing_key, None, mark.encode(), mark, raw_headers=table)
    mark = str(uuid4())
    yield ForgedDelivery("no headers", sound.service, sound.routing_key, None, mark.encode(), mark)
    key = b"orders.\xff." + sound.routing_key.rsplit(".", 2)[1].encode() + sound.routing_key[-3:].encode()
    strange = sound.delivery("a routing key in no encoding")
    yield replace(strange, routing_key=key)


def nested_arrays(depth: int) -> bytes:
    return b"".join(b"A" + struct.pack(">I", 5 * inner) for inner in reversed(range(depth)))


def random_forgeries(seed: int, number: int) -> Iterator[Forgery]:
    """So many mutated messages, rows and deliveries mixed; the same for the same seed, but for ids."""
    dice = random.Random(seed)
    for count in range(number):
        messages = sound_messages(uuid4())
        sound = messages[dice.choice(SERVICES)]
        by = sound.service if dice.random() < 0.7 else dice.choice(SERVICES)
        name = f"seed {seed}, number {count}"
        yield forged_row(dice, name, sound, by) if dice.random() < 0.5 else forged_delivery(dice, name, sound, by)


def forged_row(dice: random.Random, name: str, sound: Announced, by: str) -> ForgedRow:
    texts = UNLIKELY_TEXTS
    pools: dict[str, Sequence[Any]] = {
        "contract": texts,
        "source": (*SERVICES, *texts),
        "key": texts,
        "sequence": UNLIKELY_NUMBERS,
        "time": UNLIKELY_TIMES,
        "event_hash": UNLIKELY_HASHES,
        "causation_id": (uuid4(), None),
        "actor": texts,
        "traceparent": UNLIKELY_TRACES,
        "tracestate": (*texts, *UNLIKELY_TRACES),
        "body": UNLIKELY_BODIES,
    }
    changed = {column: dice.choice(pools[column]) for column in dice.sample(sorted(pools), dice.randint(1, 3))}
    return sound.row(name, by, **changed)


def forged_delivery(dice: random.Random, name: str, sound: Announced, by: str) -> ForgedDelivery:
    values = (*UNLIKELY_VALUES, *UNLIKELY_TEXTS[:-1], *UNLIKELY_TRACES[:-2])
    headers = sound.headers()
    names = [*headers, "ce-causationid", "traceparent", "tracestate", "x-death", "x-delivery-count", "CC", "BCC"]
    for header in dice.sample(names, dice.randint(1, 3)):
        headers[header] = dice.choice(values)
    body = json.dumps(sound.body).encode()
    changes: list[Callable[[], bytes]] = [
        lambda: body,
        lambda: dice.choice(UNLIKELY_BODIES).encode(errors="surrogatepass"),
        lambda: dice.randbytes(dice.randint(0, 200)),
    ]
    keys = [sound.routing_key, dice.choice(UNLIKELY_TEXTS[:-2]), sound_messages(uuid4())[by].routing_key]
    others: list[dict[str, Any]] = [{}, {"delivery_mode": 1}, {"expiration": "0"}, {"priority": 255}]
    properties = dice.choice(others)
    return ForgedDelivery(name, by, dice.choice(keys), headers, dice.choice(changes)(), str(uuid4()), properties)
