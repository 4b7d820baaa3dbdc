"""The health server of workers and relays answers although other clients never finish."""

import socket
from contextlib import ExitStack
from urllib.request import urlopen

from devstack.ports import LOOPBACK, choose
from ordersaga.runtime.health import MAX_CONNECTIONS, serve_health


def test_clients_that_never_finish_keep_nobody_out_and_the_oldest_are_closed() -> None:
    port = choose(set())
    serve_health(port, LOOPBACK, list)
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection((LOOPBACK, port), 5)) for _ in range(MAX_CONNECTIONS + 9)]
        for connection in held[9:]:
            connection.sendall(b"GET /healthz HT")
        with urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
        assert held[0].recv(1) == b""
