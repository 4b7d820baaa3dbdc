"""A client of server-sent events, and writers of the log that it listens to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import requests

from ordersaga.envelope.message import Cause, Message
from ordersaga.readside import event_log
from tests.support.api import Api
from tests.support.databases import Database

CONTRACT = "orders.product_priced.v1"


class Sent(NamedTuple):
    """One block of the stream; without data it only says where the stream is."""

    id: int
    event: str
    data: dict[str, Any] | None


class Stream:
    """An open connection."""

    def __init__(self, answer: requests.Response) -> None:
        self.answer = answer
        self.lines = answer.iter_lines(chunk_size=None, decode_unicode=True)
        self.last_id = next(self.blocks()).id

    def blocks(self) -> Iterator[Sent]:
        """Every block with an id; heartbeats are passed over."""
        fields: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
                continue
            if fields.get("id") and line == "":
                data = json.loads(fields["data"]) if "data" in fields else None
                self.last_id = int(fields["id"])
                yield Sent(self.last_id, fields.get("event", ""), data)
            fields = {} if line == "" else fields

    def take(self, number: int) -> list[Sent]:
        """So many events, as they come."""
        blocks = self.blocks()
        return [next(blocks) for _ in range(number)]


@contextmanager
def listening(api: Api, caller: str, path: str = "", **headers: str) -> Iterator[Stream]:
    """A stream for the length of the block, then the connection is cut."""
    with requests.Session() as session:
        session.trust_env = False
        signed = {"Authorization": f"Bearer {caller}", **headers}
        url = f"{api.url}/api/events/stream{path}"
        with session.get(url, headers=signed, stream=True, timeout=30) as answer:
            assert answer.status_code == 200, answer.text
            # urllib3 hangs up when nobody holds what reads the answer.
            stream = Stream(answer)
            yield stream


def write(database: Database, batches: int, size: int = 1, key: str = "tea", text: str = "Tea") -> None:
    """Log so many batches as a projector does, each in a transaction of its own."""
    with database.connect() as connection:
        for _ in range(batches):
            with connection.transaction():
                event_log.lock(connection)
                event_log.append(connection, [message(key, text) for _ in range(size)])


def message(key: str, text: str) -> Message:
    body = json.dumps({"sku": key, "name": text, "unit_price": 890, "currency": "EUR"})
    now, cause = datetime.now(UTC), Cause(uuid4(), actor="olga")
    return Message(uuid4(), CONTRACT, "order_service", key, 1, now, bytes(32), cause, body)
