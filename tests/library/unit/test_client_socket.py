"""ClientSocket: what a client does not read is kept, and holds no thread."""

from socket import socketpair

import pytest

from ordersaga.http.connection import ClientSocket


@pytest.mark.timeout(10)
def test_no_response_waits_for_its_client_also_on_a_connection_that_gunicorn_has_made_blocking() -> None:
    ours, client = socketpair()
    with client, ClientSocket(fileno=ours.detach()) as server:
        server.setblocking(True)
        server.sendall(bytes(2**24))
        assert 0 < len(server.unsent) < 2**24
