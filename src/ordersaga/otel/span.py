"""Span: a step under way, and its place in a trace as a message or a request carries it (W3C trace context)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, TraceState, format_trace_id

from ordersaga.envelope.message import Cause

Attributes = Mapping[str, str | int]


def place_of(cause: Cause) -> SpanContext:
    """The span of another process that the cause names; an invalid one if it names none."""
    if not cause.traceparent:
        return trace.INVALID_SPAN_CONTEXT
    _, trace_id, span_id, flags = cause.traceparent.split("-")
    state = TraceState.from_header([cause.tracestate]) if cause.tracestate else None
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)), state)


def below(place: SpanContext) -> context.Context | None:
    """The context in which a span begins that is the child of another; without one, that of this thread."""
    return trace.set_span_in_context(NonRecordingSpan(place), context.Context()) if place.is_valid else None


class Span:
    """A span of the SDK with the few steps that this library takes; it is exported when it ends, and not before."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def place(self) -> SpanContext:
        return self._span.get_span_context()

    @property
    def context(self) -> context.Context:
        """The context in which its children begin."""
        return trace.set_span_in_context(self._span, context.Context())

    @property
    def is_recording(self) -> bool:
        """Whether it is exported when it ends: the trace is sampled."""
        return self._span.is_recording()

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return format_trace_id(self.place.trace_id)

    @property
    def traceparent(self) -> str:
        place = self.place
        return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"

    def cause(self, cause: Cause) -> Cause:
        """The cause of what happens in this span: the same, but its trace goes on from here."""
        return replace(cause, traceparent=self.traceparent, tracestate=self.place.trace_state.to_header())

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        """Record a moment of the span."""
        self._span.add_event(name, attributes)

    def link(self, other: "Span") -> None:
        """Link to a span of another trace, or beside this one."""
        self._span.add_link(other.place)

    def failed(self, error: str) -> None:
        """Say that it failed; `error` is the name of a class or a status, never a text with data in it."""
        self._span.set_attribute("error.type", error)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """End and export it; what ends twice is exported once."""
        if self._span.is_recording():
            self._span.end()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the parent of spans that other instrumentation begins in this block, in this thread."""
        token = context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            context.detach(token)
