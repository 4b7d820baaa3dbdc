"""A proxy before Postgres that counts what its answers say, statements and round trips, or loses them."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

COMMAND_COMPLETE, EMPTY_QUERY, READY_FOR_QUERY = b"C", b"I", b"Z"


@dataclass
class Traffic:
    """What has come back from the server over all connections."""

    statements: int = 0
    round_trips: int = 0
    is_silent: bool = False
    """Whether answers are lost, and the end of a session, as behind a proxy that has lost its server: what is sent is
    still acknowledged."""


@contextmanager
def counted(url: str) -> Iterator[tuple[str, Traffic]]:
    """The same database through the proxy, and the counts, which go on until the block ends."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    traffic = Traffic()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = (parts.hostname, parts.port)
        threading.Thread(target=accept, args=(listening, there, traffic), daemon=True).start()
        userinfo = parts.netloc.rpartition("@")[0]
        netloc = f"{userinfo}@127.0.0.1:{listening.getsockname()[1]}"
        # Encrypted, there would be nothing to count.
        yield urlunsplit((parts.scheme, netloc, parts.path, "sslmode=disable&gssencmode=disable", "")), traffic
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def accept(listening: socket.socket, there: tuple[str, int], traffic: Traffic) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(there)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=forward, args=(client, server), daemon=True).start()
            threading.Thread(target=answer, args=(server, client, traffic), daemon=True).start()


def forward(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(1 << 16):
            server.sendall(data)
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def answer(server: socket.socket, client: socket.socket, traffic: Traffic) -> None:
    """Pass the server's messages on whole: a type byte and a length, which counts itself."""
    with server, client, suppress(OSError), server.makefile("rb") as answers:
        while head := answers.read(5):
            body = answers.read(struct.unpack(">xI", head)[0] - 4)
            traffic.statements += head[:1] in (COMMAND_COMPLETE, EMPTY_QUERY)
            traffic.round_trips += head[:1] == READY_FOR_QUERY
            if not traffic.is_silent:
                client.sendall(head + body)
        if not traffic.is_silent:
            # Closing alone would wait for the thread that reads from the client.
            client.shutdown(socket.SHUT_RDWR)
