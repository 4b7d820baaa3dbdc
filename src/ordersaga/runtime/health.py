"""The health endpoints of a process: liveness, readiness with its problems, metrics."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import SHUT_RDWR, socket
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.exposition import choose_encoder

from ordersaga.runtime import failpoints, telemetry

MAX_CONNECTIONS = 64
SILENCE_SECONDS = 10


class HealthServer(ThreadingMixIn, WSGIServer):
    """One thread for each connection, so that a slow readiness check does not delay /healthz.

    Beyond MAX_CONNECTIONS it closes the oldest one, so that clients that never finish keep nobody else out.
    """

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: deque[socket] = deque()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.append(request)
        if len(self.open) > MAX_CONNECTIONS:
            with suppress(OSError):
                self.open.popleft().shutdown(SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with suppress(ValueError):
            self.open.remove(request)
        super().shutdown_request(request)


class SilentHandler(WSGIRequestHandler):
    """Logs no line for each probe."""

    timeout = SILENCE_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve_health(
    port: int, host: str, problems: Callable[[], list[str]], warnings: Callable[[], list[str]] = list
) -> None:
    """Serve /healthz, /readyz and /metrics from a daemon thread; port 0 does nothing.

    `problems` returns the reasons why the process cannot work now, each a sentence; an empty list means ready.
    `warnings` returns what a person should look at although the process works.

    Raises:
        OSError: the port is taken.
    """
    if port == 0:
        return

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        accept = environ.get("HTTP_ACCEPT", "")
        status, content_type, body = respond(environ["PATH_INFO"], problems, warnings, accept)
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(host, port, answer, HealthServer, SilentHandler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


def respond(
    path: str, problems: Callable[[], list[str]], warnings: Callable[[], list[str]] = list, accept: str = ""
) -> tuple[str, str, bytes]:
    """Status line, content type and body of one health endpoint; `accept` is the header of the request."""
    match path:
        case "/healthz":
            return "200 OK", "application/json", b'{"alive": true}'
        case "/readyz":
            found = problems()
            said = [*warnings(), *failpoints.warnings()]
            body = json.dumps({"ready": not found, "problems": found, "warnings": said}).encode()
            return "503 Service Unavailable" if found else "200 OK", "application/json", body
        case "/metrics":
            return "200 OK", *metrics(accept)
        case _:
            return "404 Not Found", "text/plain", b"The paths are /healthz, /readyz and /metrics.\n"


def metrics(accept: str) -> tuple[str, bytes]:
    """Content type and body; in the format of OpenMetrics, which has exemplars, for whoever takes it."""
    if telemetry.tracing and "application/openmetrics-text" in accept:
        encode, content_type = choose_encoder(accept)
        return content_type, encode(REGISTRY)
    return CONTENT_TYPE_LATEST, generate_latest()
