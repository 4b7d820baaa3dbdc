"""W3C trace context and correlation id of a request: taken from the headers, or new.

Not `TraceContextTextMapPropagator` of opentelemetry-api: it reads the same headers alike, but takes 12 microseconds
of a request instead of 7, 74 ms of CPU to import, and logs a warning for each malformed header of any client.
"""

import secrets
from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7
from werkzeug.datastructures import Headers

from ordersaga.envelope.message import Cause
from ordersaga.envelope.trace_context import valid_traceparent

SAMPLED = "01"


def begin_traceparent() -> str:
    random = secrets.token_hex(24)
    return f"00-{random[:32]}-{random[32:]}-{SAMPLED}"


def cause_of(headers: Headers, begin: Callable[[], str] = begin_traceparent) -> Cause:
    """The cause that a request begins, still without an actor; malformed headers count as absent.

    `begin` makes the trace of a caller that sends none.
    """
    traceparent = valid_traceparent(headers.get("traceparent", ""))
    return Cause(
        correlation_id=correlation_id(headers.get("X-Correlation-Id", "")),
        traceparent=traceparent or begin(),
        tracestate=headers.get("tracestate", "") if traceparent else "",
    )


def correlation_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid7()
