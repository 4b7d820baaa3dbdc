"""A collector of traces on loopback: takes OTLP over HTTP, and keeps the spans."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from devstack.ports import LOOPBACK

ROOT = ""


@dataclass(frozen=True)
class Collected:
    """A span as it was sent; ids in hex, times in nanoseconds since 1970."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    """(trace, id) of each."""
    events: tuple[str, ...]
    has_failed: bool

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) / 1e6


@dataclass
class Collector:
    """What has been sent so far."""

    url: str = ""
    spans: list[Collected] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Collected]:
        """The spans of a trace, the earliest first."""
        return sorted((span for span in self.spans if span.trace == trace_id), key=lambda span: span.began)

    def take(self, data: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            service = attributes_of(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [collected(service, span) for span in scope.spans]


def collected(service: str, span: SentSpan) -> Collected:
    return Collected(
        service,
        span.name,
        SentSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        attributes_of(span.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        tuple(event.name for event in span.events),
        span.status.code == Status.STATUS_CODE_ERROR,
    )


def attributes_of(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def tree(spans: Sequence[Collected], parent: str = ROOT, depth: int = 0) -> Iterator[str]:
    """The spans of one trace as lines: name, service, when it began (ms after the first) and how long it took."""
    first = min(span.began for span in spans)
    known = {span.id for span in spans}
    for span in spans:
        if span.parent == parent or (parent == ROOT and span.parent not in known):
            name = f"{'  ' * depth}{span.name}{'  FAILED' if span.has_failed else ''}"
            yield f"{name:62} {span.service:26} {(span.began - first) / 1e6:9.1f} {span.milliseconds:9.1f}"
            yield from tree(spans, span.id, depth + 1)


@contextmanager
def collector() -> Iterator[Collector]:
    """Its `url` is for OTEL_EXPORTER_OTLP_ENDPOINT."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    found.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="collector")
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
