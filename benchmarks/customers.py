"""Customers over HTTP, made to cost next to nothing: kept connections, prepared requests, one thread."""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import NamedTuple
from uuid import UUID, uuid4

from devstack.ports import LOOPBACK

CUSTOMERS = 24
"""More than the server's threads."""
SKUS = 1000
TIMEOUT_SECONDS = 30.0
CARD, DECLINED_CARD = "pm_card_visa", "pm_card_chargeDeclined"
SHED = (429, 503)


class Placed(NamedTuple):
    """An order on its way, and when it was to be sent; the card of a declined one is refused."""

    request: bytes
    due: float
    declined: bool
    sent: float


class Answer(NamedTuple):
    """`state` and `order_id` are those of the answer's body, empty when the order was not accepted."""

    placed: Placed
    at: float
    status: int
    order_id: UUID | None
    state: str
    retry_after: str
    closes: bool

    @property
    def ended(self) -> bool:
        return self.state in ("confirmed", "cancelled")


def sku(number: int) -> str:
    return f"product-{number}"


class Customers:
    """Each sends its next order after the answer to the last; the customer that is idle for longest sends first.

    `most` is how many there are at most: a new one comes when all are busy. Every `declined_every`th order has a card
    that is declined; 0: none.
    """

    def __init__(
        self,
        port: int,
        token: str,
        wait_seconds: int = 0,
        declined_every: int = 0,
        most: int = CUSTOMERS,
        skus: int = SKUS,
    ) -> None:
        self._skus = skus
        self._address = (LOOPBACK, port)
        self._token = token
        self._prefer = f"Prefer: wait={wait_seconds}\r\n" if wait_seconds else ""
        self._declined_every = declined_every
        self._most = most
        self._numbers = count()
        self._selector = selectors.DefaultSelector()
        self._idle: deque[socket.socket] = deque()
        self._busy: dict[socket.socket, tuple[Placed, bytearray]] = {}
        self.connect(min(CUSTOMERS, most))

    def connect(self, number: int) -> None:
        """Let as many more wait for an order."""
        for _ in range(number):
            connection = socket.create_connection(self._address, TIMEOUT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ)
            self._idle.append(connection)

    def close(self) -> None:
        self._selector.close()
        for connection in (*self._idle, *self._busy):
            connection.close()

    @property
    def free(self) -> bool:
        """Whether somebody can send now."""
        return bool(self._idle) or len(self._busy) < self._most

    @property
    def busy(self) -> int:
        return len(self._busy)

    def place(self, due: float | None = None) -> Placed:
        """Send an order of one product, each order of another one; asks for somebody free."""
        number = next(self._numbers)
        declined = bool(self._declined_every) and number % self._declined_every == 0
        now = time.perf_counter()
        placed = Placed(self._request(number, declined), due or now, declined, now)
        self.send(placed)
        return placed

    def send(self, placed: Placed) -> None:
        """Send it, also once more, under the same Idempotency-Key; asks for somebody free."""
        if not self._idle:
            self.connect(1)
        connection = self._idle.popleft()
        self._busy[connection] = (placed, bytearray())
        with suppress(ConnectionError):
            # A server that hung up while idle is noticed as one that hangs up before it answers.
            connection.sendall(placed.request)

    def _request(self, number: int, declined: bool) -> bytes:
        card = DECLINED_CARD if declined else CARD
        body = json.dumps({"lines": [{"sku": sku(number % self._skus), "quantity": 1}], "card": card})
        return (
            f"POST /orders HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {self._token}\r\n{self._prefer}"
            f"Idempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def answers(self, seconds: float) -> Iterator[Answer]:
        """What has come after at most so long."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            data = b""
            with suppress(ConnectionError):
                data = connection.recv(1 << 16)
            if data:
                yield from self._received(connection, data)
            else:
                self._hung_up(connection)

    def _received(self, connection: socket.socket, data: bytes) -> Iterator[Answer]:
        placed, received = self._busy[connection]
        received += data
        answer = parsed(placed, bytes(received))
        if answer is not None:
            del self._busy[connection]
            if answer.closes:
                self._drop(connection)
            else:
                self._idle.append(connection)
            yield answer

    def _hung_up(self, connection: socket.socket) -> None:
        """An order that got no answer is sent again under its key, over another connection."""
        self._drop(connection)
        if connection in self._busy:
            placed, _ = self._busy.pop(connection)
            self.connect(1)
            self._idle.rotate(1)
            self.send(placed)
        else:
            self._idle.remove(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()


def parsed(placed: Placed, received: bytes) -> Answer | None:
    """None while there is more to come. Raises RuntimeError for what is neither an order nor a refusal for now."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "content-length" not in headers or len(body) < int(headers["content-length"]):
        return None
    status, closes = int(first.split()[1]), headers.get("connection", "").lower() == "close"
    now = time.perf_counter()
    if status in SHED:
        return Answer(placed, now, status, None, "", headers.get("retry-after", ""), closes)
    order = json.loads(body)
    if status not in (200, 202) or order["state"] not in ("placed", "confirmed", "cancelled"):
        raise RuntimeError(f"an order was answered with {received.decode()}")
    return Answer(placed, now, status, UUID(order["order_id"]), order["state"], "", closes)
