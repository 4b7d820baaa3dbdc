"""Spans of announcements: whoever gets a message goes on from the span that created it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ordersaga.envelope.message import Message
from ordersaga.runtime import telemetry

if TYPE_CHECKING:
    from ordersaga.otel.span import Span


def created(message: Message, begun: "list[Span]") -> Message:
    """The message with the place of its own span, which is added to `begun` and ends once the message is stored.

    Neither the id nor the hash of a message depends on its trace: one that is derived from the event again has none.
    """
    tracing = telemetry.tracing
    span = tracing.create(message) if tracing else None
    if span is None:
        return message
    begun.append(span)
    return replace(message, cause=span.cause(message.cause))


def end(begun: "Iterable[Span]") -> None:
    for span in begun:
        span.end()
