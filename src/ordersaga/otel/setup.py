"""Setup: the provider and exporter of a process, from the standard variables of OpenTelemetry."""

import sys
import threading
from collections.abc import Mapping, Sequence
from logging import CRITICAL, getLogger

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from prometheus_client import Counter

from ordersaga.otel.tracing import Tracing

FLUSH_SECONDS = 2.0
"""How long an ending process waits for the collector to take the last spans."""
MAX_QUEUE = 2048
"""Spans that wait for the collector; OTEL_BSP_MAX_QUEUE_SIZE sets another number. More are dropped."""
LOST = Counter("ordersaga_spans_lost_total", "Spans that no collector has taken", ["reason"])
log = getLogger(__name__)


class WatchedExporter(SpanExporter):
    """Says once that the collector takes no spans, and once that it takes them again; the SDK says it each time."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_away = False
        self._lock = threading.Lock()
        self._waiting = 0

    def admit(self, most: int) -> bool:
        """Whether there is room for one more span."""
        with self._lock:
            if self._waiting >= most:
                LOST.labels("queue").inc()
                return False
            self._waiting += 1
            return True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        with self._lock:
            self._waiting -= len(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away:
            LOST.labels("collector").inc(len(spans))
        if is_away != self._is_away:
            self._is_away = is_away
            if is_away:
                log.warning("the collector takes no spans: they are lost until it does")
            else:
                log.info("the collector takes spans again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class BoundedProcessor(BatchSpanProcessor):
    """Drops what is beyond the limit before it is queued, and counts it; the SDK drops without a count."""

    def __init__(self, exporter: WatchedExporter, most: int) -> None:
        super().__init__(exporter, most)
        self._watched = exporter
        self._most = most

    def on_end(self, span: ReadableSpan) -> None:
        if span.context and span.context.trace_flags.sampled and self._watched.admit(self._most):
            super().on_end(span)


def set_up(process: str, environment: Mapping[str, str], amqp_url: str, group: str) -> Tracing:
    """The tracing of this process. `process` is its `service.name`, unless a variable gives one.

    A provider that the application has set up before is used as it is.

    Raises:
        ValueError: a variable asks for what is not supported; the text names it.
    """
    found = trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        return Tracing(found, amqp_url, group)
    named = environment.get("OTEL_SERVICE_NAME") or SERVICE_NAME in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {SERVICE_NAME: process})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    most = queue_size(environment.get("OTEL_BSP_MAX_QUEUE_SIZE") or str(MAX_QUEUE))
    provider.add_span_processor(BoundedProcessor(WatchedExporter(exporter_of(environment)), most))
    getLogger("opentelemetry").setLevel(CRITICAL)
    trace.set_tracer_provider(provider)
    return Tracing(provider, amqp_url, group)


def queue_size(text: str) -> int:
    """Raises ValueError."""
    if not text.isdecimal():
        raise ValueError(f"OTEL_BSP_MAX_QUEUE_SIZE is {text!r}. Set it to a number of spans, {MAX_QUEUE} by default")
    return int(text)


def exporter_of(environment: Mapping[str, str]) -> SpanExporter:
    """Raises ValueError."""
    kind = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if kind == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    if kind != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER is {kind!r}. Set it to otlp, console or none")
    protocol = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    )
    if protocol not in ("", "http/protobuf"):
        raise ValueError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}. Set it to http/protobuf, which collectors take at port 4318"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def shut_down(tracing: Tracing) -> None:
    """Send what is left, for at most FLUSH_SECONDS."""
    last = threading.Thread(target=tracing.provider.shutdown, name="last spans", daemon=True)
    last.start()
    last.join(FLUSH_SECONDS)
