"""A broker's port that accepts a connection and resets it at once, as a proxy whose server is away does."""

import gc
import socket
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.utils import io_services_utils
from pika.exceptions import AMQPConnectionError

from ordersaga.broker.connecting import connect
from ordersaga.relay.publisher import BrokerUnavailable, Publisher

NO_LINGER = struct.pack("ii", 1, 0)
SECONDS = 5


@pytest.fixture
def resetting(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a port whose reset arrives after pika has seen the connection, and before it looks again.

    Without the wait for it, that is a matter of microseconds: one of some hundred connections.
    """
    connector, seen = io_services_utils._AsyncSocketConnector, threading.Event()
    report = connector._report_completion

    def report_when_reset(self: Any, result: object) -> None:
        seen.set()
        until_reset(self._sock)
        report(self, result)

    monkeypatch.setattr(connector, "_report_completion", report_when_reset)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reset_all, args=(listener, seen), daemon=True)
        thread.start()
        yield f"amqp://127.0.0.1:{listener.getsockname()[1]}/?connection_attempts=1&socket_timeout={SECONDS}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    # pika leaves its sockets to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def reset_all(listener: socket.socket, seen: threading.Event) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        seen.wait(SECONDS)
        seen.clear()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        accepted.close()


def until_reset(client: socket.socket) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            client.getpeername()
        except OSError:
            return
        time.sleep(0.001)


def test_a_worker_takes_a_connection_that_is_reset_at_once_for_a_broker_that_is_away(resetting: str) -> None:
    with pytest.raises(AMQPConnectionError, match="not connected"):
        connect(pika.URLParameters(resetting))


def test_a_relay_takes_a_connection_that_is_reset_at_once_for_a_broker_that_is_away(resetting: str) -> None:
    publisher = Publisher(resetting, "a relay")
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="not connected"):
            publisher.connect()
    publisher.close(seconds=0.1)
