"""One POST: to an address that was resolved and allowed before, within one time limit, following no redirect."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from threading import Timer
from typing import NamedTuple

from ordersaga.webhooks.destination import Destination

MAX_ANSWER = 1024
"""Bytes of an answer that are read and kept."""


class EndpointAnswer(NamedTuple):
    status: int
    text: str
    """The beginning of its body."""
    retry_after: str
    """The header `Retry-After`, or nothing."""


class EndpointSilent(Exception):
    """The endpoint gave no answer; the text says in a few words why."""


class PinnedConnection(HTTPConnection):
    """Connects to the given addresses, and checks the certificate for the name of the host.

    `http.client` follows no redirect, reads no proxy from the environment, and leaves the socket to us. The connection
    of `urllib3` would do too, but look the name up again.
    """

    def __init__(self, destination: Destination, addresses: Sequence[str], context: ssl.SSLContext, until: float):
        super().__init__(destination.host, destination.port)
        self._tls = context if destination.scheme == "https" else None
        self._addresses = addresses
        self._until = until

    def connect(self) -> None:
        for number, address in enumerate(self._addresses, 1):
            try:
                plain = socket.create_connection((address, self.port), max(0.001, self._until - time.monotonic()))
                break
            except OSError:
                if number == len(self._addresses):
                    raise
        self.sock = plain
        if self._tls:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()


def post(
    destination: Destination,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    seconds: float,
    context: ssl.SSLContext,
) -> EndpointAnswer:
    """Send a body and read the answer. Raises EndpointSilent when there is none within `seconds`."""
    until = time.monotonic() + seconds
    connection = PinnedConnection(destination, addresses, context, until)
    own = {"Host": destination.host_header, "Accept-Encoding": "identity", "Connection": "close"}
    try:
        with cut_off(connection, seconds):
            connection.request("POST", destination.target, body, {**own, **headers})
            response = connection.getresponse()
            text = response.read(MAX_ANSWER).decode(errors="replace")
            if time.monotonic() >= until:
                raise TimeoutError  # http.client takes the end of the connection for the end of the headers
            return EndpointAnswer(response.status, text.replace("\0", ""), response.headers.get("Retry-After", ""))
    except TimeoutError:
        raise EndpointSilent(f"no answer within {seconds:g} s") from None
    except (OSError, HTTPException, ValueError) as error:
        if time.monotonic() >= until:
            raise EndpointSilent(f"no complete answer within {seconds:g} s") from None
        raise EndpointSilent(f"{type(error).__name__}: {error}"[:300]) from None
    finally:
        connection.close()


@contextmanager
def cut_off(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Close the socket after so many seconds: a timeout of the socket begins anew with each byte that arrives."""

    def cut() -> None:
        with suppress(OSError, TypeError):
            # Not SSLSocket.shutdown, which takes the session from under the thread that reads.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
