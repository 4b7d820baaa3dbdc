"""Customers over HTTP, made to cost next to nothing: kept connections, prepared requests, one thread."""

import json
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple
from uuid import UUID, uuid4

from devstack.ports import LOOPBACK

CUSTOMERS = 24
"""More than the server's threads; at 20 orders a second each is back before the server hangs up on it."""
SKUS = 1000
TIMEOUT_SECONDS = 30.0


class Placed(NamedTuple):
    """An order on its way, and when it was to be sent."""

    request: bytes
    due: float


class Answer(NamedTuple):
    """`order_id` is known from the first answer on; `ended` when the answer shows the order in its terminal state."""

    placed: Placed
    order_id: UUID
    ended: bool


def sku(number: int) -> str:
    return f"product-{number % SKUS}"


class Customers:
    """Each sends an order when the one before has been answered; whoever has waited longest is next."""

    def __init__(self, port: int, token: str, wait_seconds: int = 0) -> None:
        self._token = token
        self._prefer = f"Prefer: wait={wait_seconds}\r\n" if wait_seconds else ""
        self._numbers = count()
        self._selector = selectors.DefaultSelector()
        self._idle = deque(socket.create_connection((LOOPBACK, port), TIMEOUT_SECONDS) for _ in range(CUSTOMERS))
        self._busy: dict[socket.socket, tuple[Placed, bytearray]] = {}
        for connection in self._idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()
        for connection in (*self._idle, *self._busy):
            connection.close()

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def busy(self) -> int:
        return len(self._busy)

    def place(self, due: float | None = None) -> None:
        """Send an order of one product, each order of another one; asks for an idle customer."""
        self._send(Placed(self._request(), due or time.perf_counter()))

    def _send(self, placed: Placed) -> None:
        connection = self._idle.popleft()
        connection.sendall(placed.request)
        self._busy[connection] = (placed, bytearray())

    def _request(self) -> bytes:
        body = json.dumps({"lines": [{"sku": sku(next(self._numbers)), "quantity": 1}], "card": "pm_card_visa"})
        return (
            f"POST /orders HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {self._token}\r\n{self._prefer}"
            f"Idempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def answers(self, seconds: float) -> Iterator[Answer]:
        """What has come after at most so long. Raises RuntimeError for what is not a placed order."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            data = connection.recv(1 << 16)
            if not data:
                raise RuntimeError("the server hung up")
            placed, received = self._busy[connection]
            received += data
            answer = parsed(placed, bytes(received))
            if answer is not None:
                del self._busy[connection]
                self._idle.append(connection)
                yield answer

    def steadily(self, rate: float, number: int) -> list[float]:
        """Milliseconds from when each of so many orders was due to the answer that shows it confirmed.

        Each pause is drawn anew. An answer without the end (no place to wait) is asked for again under the same key.
        """
        times: list[float] = []
        due, left = time.perf_counter(), number
        while len(times) < number:
            while left and self.idle and time.perf_counter() >= due:
                self.place(due)
                left -= 1
                due += random.uniform(0.5, 1.5) / rate
            for answer in self.answers(due - time.perf_counter() if left and self.idle else TIMEOUT_SECONDS):
                if answer.ended:
                    times.append(1000 * (time.perf_counter() - answer.placed.due))
                else:
                    self._send(answer.placed)
        return times


def parsed(placed: Placed, received: bytes) -> Answer | None:
    """None while there is more to come."""
    head, _, body = received.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if not length or len(body) < int(length):
        return None
    order = json.loads(body)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")) or order["state"] not in ("placed", "confirmed"):
        raise RuntimeError(f"an order was answered with {received.decode()}")
    return Answer(placed, UUID(order["order_id"]), order["state"] == "confirmed")
