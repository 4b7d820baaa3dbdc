"""A receiver of webhooks on loopback, which answers as a test says and keeps what it got."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The JSON of the body. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


Answering = Callable[[Got], int]


@dataclass
class Receiver:
    """`answering` gets each request and returns the status; it may wait."""

    url: str
    answering: Answering = lambda _: 204
    got: list[Got] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def ids(self, path: str = "") -> list[str]:
        return [each.id for each in self.got if path in ("", each.path)]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got = Got(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
            receiver.got.append(got)
            self.send_response(receiver.answering(got))
            for name, text in {**receiver.headers, "Content-Length": str(len(receiver.body))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(f"http{'s' if context else ''}://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
