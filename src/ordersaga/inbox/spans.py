"""Spans of messages: each lasts from the first step with a message until it took effect or is parked."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ordersaga.inbox.delivery import Delivery, Received
from ordersaga.runtime import telemetry

FIRST_ATTEMPT = "x-first-attempt"
"""Header of a parked message: the traceparent of the attempt that parked it."""


def begin(messages: Iterable[Received], attempt: int = 1) -> None:
    """Begin the spans of those that have none yet, if this process records spans."""
    if tracing := telemetry.tracing:
        for message in messages:
            if message.span is None:
                first = str(message.delivery.headers.get(FIRST_ATTEMPT, ""))
                message.span = tracing.process(message.message, message.delivery.queue, first, attempt)


def end(messages: Sequence[Received], new: Sequence[Received], handled: Sequence[Received], began: int) -> None:
    """End the spans of messages whose transaction, begun at `began` (ns since 1970), is committed.

    Those that are not new took effect before; new ones that are not handled wait behind another of their key.
    """
    tracing = telemetry.tracing
    if tracing and len(handled) > 1:
        tracing.batch([m.span for m in handled if m.span], [m.message.cause for m in handled], began)
    for message in messages:
        if message.span and not any(message is each for each in handled):
            is_new = any(message is each for each in new)
            outcome = "waits behind a parked message" if is_new else "took effect before"
            message.span.set({"ordersaga.outcome": outcome})
    for message in messages:
        if message.span:
            message.span.end()
            message.span = None


def exemplar(messages: Iterable[Received]) -> dict[str, str] | None:
    """The trace of the first of these that is recorded, beside a figure about all of them."""
    if telemetry.tracing is None:
        return None
    return next(({"trace_id": each.span.trace_id} for each in messages if each.span and each.span.is_recording), None)


def failed(message: Received, error: str) -> None:
    """End the span of a message that is parked; `error` is the name of a class."""
    if message.span:
        message.span.failed(error)
        message.span.set({"ordersaga.outcome": "parked"})
        message.span.end()
        message.span = None


def tried_again(messages: Iterable[Received], error: Exception) -> None:
    """Note in their spans that a transaction was rolled back, and that a smaller one follows."""
    for message in messages:
        if message.span:
            message.span.event("transaction rolled back", {"error.type": type(error).__name__})


def remembered(message: Received) -> Delivery:
    """The delivery with the place of its attempt, to which the next attempt has a link."""
    delivery = message.delivery
    if message.span is None or FIRST_ATTEMPT in delivery.headers:
        return delivery
    return delivery._replace(headers={**delivery.headers, FIRST_ATTEMPT: message.span.traceparent})


@contextmanager
def outside(message: Received, operation: str) -> Iterator[None]:
    """Surrounds the call of an operation, `resource/name`, with its span, within that of the message."""
    tracing = telemetry.tracing
    if tracing is None or message.span is None:
        yield
        return
    resource, _, name = operation.rpartition("/")
    span = tracing.outside(message.span, resource, name)
    try:
        with span.current():
            yield
    except BaseException as error:
        span.failed(type(error).__name__)
        raise
    finally:
        span.end()


def now() -> int:
    """Nanoseconds since 1970; 0 while no spans are recorded."""
    return time.time_ns() if telemetry.tracing else 0
