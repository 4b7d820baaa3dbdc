"""Tracing: the spans of a process, named and described by the semantic conventions of OpenTelemetry."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanKind, Tracer

from ordersaga.envelope.message import Cause, Message
from ordersaga.otel.span import Attributes, Span, below, place_of

SAMPLED = frozenset("13579bdf")
"""Last digits of a traceparent whose trace is recorded."""
EVENTS = "events"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"))


def is_sampled(cause: Cause) -> bool:
    """Whether whoever began the trace decided that it is recorded."""
    return cause.traceparent[-1:] in SAMPLED


def is_left_out(cause: Cause) -> bool:
    """Whether the trace is not recorded: its first process decided so, and all others follow."""
    return bool(cause.traceparent) and not is_sampled(cause)


class Tracing:
    """Begins spans; of a trace that is not sampled it begins none, and what would go on from one goes on unchanged."""

    def __init__(self, provider: TracerProvider, amqp_url: str = "", group: str = "") -> None:
        """`group` is the consumer group of a worker; the host of `amqp_url` is named in its spans."""
        self.provider = provider
        self._group: Attributes = {"messaging.consumer.group.name": group} if group else {}
        self._tracer = provider.get_tracer("ordersaga")
        self._batches = beside(provider)
        self._broker = broker_of(amqp_url)

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        cause: Cause,
        attributes: Attributes,
        links: Sequence[Link] = (),
        start_time: int | None = None,
    ) -> Span:
        context = below(place_of(cause))
        return Span(self._tracer.start_span(name, context, kind, attributes, links, start_time=start_time))

    def request(self, cause: Cause, method: str, route: str, path: str, host: str) -> Span | None:
        """The span of a request until its answer. Without a trace in `cause` it begins one: the sampler decides."""
        if is_left_out(cause):
            return None
        known = method if method in METHODS else "_OTHER"
        address, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        attributes: dict[str, str | int] = {"http.request.method": known, "url.path": path, "url.scheme": "http"}
        attributes |= {"server.address": address or host} | ({"server.port": int(port)} if port.isdigit() else {})
        if route:
            attributes["http.route"] = route
        name = " ".join(filter(None, (known if known != "_OTHER" else "HTTP", route)))
        return self._begin(name, SpanKind.SERVER, cause, attributes)

    def create(self, message: Message) -> Span | None:
        """The span of the announcement of a message, from which whoever gets the message goes on."""
        if is_left_out(message.cause):
            return None
        return self._begin(
            f"create {message.contract}", SpanKind.PRODUCER, message.cause, self._about(message, "create")
        )

    def sent(self, message: Message, began: int, refused: str) -> None:
        """Record that the broker confirmed or refused a message which the relay sent at `began` (ns since 1970)."""
        if is_sampled(message.cause):
            attributes = self._about(message, "send", "publish")
            links = (Link(place_of(message.cause)),)
            name = f"publish {message.contract}"
            span = self._begin(name, SpanKind.CLIENT, message.cause, attributes, links, began)
            if refused:
                span.failed(refused)
            span.end()

    def process(self, message: Message, queue: str, first_attempt: str, attempt: int) -> Span | None:
        """The span in which the group handles a message, until it took effect or is parked.

        Its parent is the span that created the message, also in a batch. A retry has a link to the first attempt, whose
        traceparent is given.
        """
        if is_left_out(message.cause):
            return None
        attributes = {**self._about(message, "process", queue=queue), **self._group}
        links = [Link(place_of(message.cause))] if message.cause.traceparent else []
        if first_attempt:
            links.append(Link(place_of(Cause(message.id, traceparent=first_attempt))))
        if attempt > 1:
            attributes["ordersaga.attempt"] = attempt
        return self._begin(f"process {message.contract}", SpanKind.CONSUMER, message.cause, attributes, links)

    def batch(self, spans: Sequence[Span], causes: Sequence[Cause], began: int) -> None:
        """Record that several messages took effect in one transaction: a trace of its own, linked to each of theirs."""
        merged = [span for span in spans if span.is_recording]
        if not merged:
            return
        attributes: dict[str, str | int] = {
            **self._broker,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.batch.message_count": len(causes),
            **self._group,
        }
        links = [Link(place_of(cause)) for cause in causes if is_sampled(cause)]
        started = self._batches.start_span("process batch", Context(), SpanKind.CONSUMER, attributes, links, began)
        whole = Span(started)
        for span in merged:
            span.link(whole)
        whole.end()

    def outside(self, parent: Span, resource: str, operation: str) -> Span:
        """The span of a call to another system, within that of its message."""
        name = " ".join(filter(None, (operation, resource)))
        attributes = {"service.peer.name": resource, "ordersaga.operation": operation}
        return Span(self._tracer.start_span(name, parent.context, SpanKind.CLIENT, attributes))

    def deadline(self, cause: Cause, name: str) -> Span | None:
        """The span of the reaction to a deadline, as a child of the step that set it, and with a link to it."""
        if not is_sampled(cause):
            return None
        links = (Link(place_of(cause)),)
        return self._begin(f"deadline {name}", SpanKind.INTERNAL, cause, {"ordersaga.deadline": name}, links)

    def _about(self, message: Message, type_: str, operation: str = "", queue: str = "") -> dict[str, str | int]:
        """The attributes of an operation on one message."""
        routing_key = message.routing_key
        return {
            **self._broker,
            "messaging.operation.name": operation or type_,
            "messaging.operation.type": type_,
            "messaging.destination.name": ":".join(filter(None, (EVENTS, routing_key, queue))),
            "messaging.destination.template": message.contract,
            "messaging.destination.partition.id": str(message.partition),
            "messaging.rabbitmq.destination.routing_key": routing_key,
            "messaging.message.id": str(message.id),
            "messaging.message.conversation_id": str(message.cause.correlation_id),
        }


def broker_of(amqp_url: str) -> Attributes:
    """The attributes of every operation on the broker."""
    url = urlsplit(amqp_url)
    if not url.hostname:
        return {"messaging.system": "rabbitmq"}
    return {"messaging.system": "rabbitmq", "server.address": url.hostname, "server.port": url.port or 5672}


def beside(provider: TracerProvider) -> Tracer:
    """Of the same exporter, but it records every span: that of a batch is recorded if one of its messages is."""
    every = TracerProvider(ALWAYS_ON, provider.resource, False, provider._active_span_processor)
    return every.get_tracer("ordersaga")
