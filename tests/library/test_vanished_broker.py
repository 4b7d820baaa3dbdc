"""A relay leaves a broker whose host has vanished, and stays with one that reads nothing."""

import ctypes
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pika
import pytest

from devstack.ports import LOOPBACK
from ordersaga.broker.topology import Group
from ordersaga.envelope.message import Cause, Message
from ordersaga.relay import connection
from ordersaga.relay.publisher import BrokerUnavailable, Publisher
from tests.support.broker import TestBroker
from tests.support.wait import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how often it has sent the same again")
LISTENER = Group("listener", ("test.happened.v1",), 1)
SO_ATTACH_FILTER = 26
DROP = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A socket filter of one instruction: it keeps no byte of any packet."""
BACKOFF = 4
"""The byte of `struct tcp_info` that counts how often the kernel has asked whether the other end reads again."""


def deafen(connected: socket.socket) -> None:
    """From now on its kernel neither takes nor answers a packet, as if the host were gone."""
    instruction = ctypes.create_string_buffer(DROP)
    connected.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(instruction)))


def forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@pytest.fixture
def host(broker: TestBroker) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of the broker on a host that vanishes with the function."""
    broker.declare(LISTENER)
    node = pika.URLParameters(broker.url)
    with (
        socket.create_server((LOOPBACK, 0)) as listening,
        socket.create_connection((node.host, node.port)) as to_broker,
    ):
        accepted: list[socket.socket] = []

        def serve() -> None:
            client, _ = listening.accept()
            accepted.append(client)
            with client, ThreadPoolExecutor(2) as pool:
                pool.submit(forward, to_broker, client)
                pool.submit(forward, client, to_broker)

        serving = threading.Thread(target=serve)
        serving.start()
        url = broker.url.replace(f":{node.port}", f":{listening.getsockname()[1]}")
        yield url, lambda: deafen(accepted[0])
        for end in (to_broker, *accepted):
            end.shutdown(socket.SHUT_RDWR)
        serving.join()


def test_a_relay_leaves_a_broker_whose_host_has_vanished_long_before_heartbeats_are_missed(
    host: tuple[str, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "UNANSWERED", 2)
    url, vanish = host
    publisher = Publisher(url, "a relay")
    publisher.connect()
    vanish()
    publisher.send([Message(uuid4(), "a.happened.v1", "a", "1", 1, datetime.now(UTC), b"", Cause(uuid4()), "{}")])
    with pytest.raises(BrokerUnavailable, match="no longer answers"):
        until(lambda: publisher.settle(0, 0.1).settled)
    publisher.close(seconds=0.1)


def test_a_relay_stays_with_a_broker_that_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNANSWERED", 1)
    with (
        socket.create_server((LOOPBACK, 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0],
    ):
        client.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                client.send(bytes(65536))
        until(lambda: client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[BACKOFF] >= 2)
        assert not connection.is_unanswered(client)
