"""W3C trace context and correlation id of a request: taken from the headers, or new.

Not `TraceContextTextMapPropagator` of opentelemetry-api: it reads the same headers alike, but takes 12 microseconds
of a request instead of 7, 74 ms of CPU to import, and logs a warning for each malformed header of any client.
"""

import re
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7
from werkzeug.datastructures import Headers

from ordersaga.envelope.message import Cause

TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACESTATE_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
MAX_MEMBERS = 32
MAX_TRACESTATE = 512
SAMPLED = "01"


def cause_of(headers: Headers) -> Cause:
    """The cause that a request begins, still without an actor; malformed headers count as absent."""
    traceparent = carried_traceparent(headers.get("traceparent", ""))
    tracestate = carried_tracestate(headers.get("tracestate", "")) if traceparent else ""
    return Cause(
        correlation_id=correlation_id(headers.get("X-Correlation-Id", "")),
        traceparent=traceparent or begin_traceparent(),
        tracestate=tracestate,
    )


def correlation_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid7()


def begin_traceparent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{SAMPLED}"


def carried_traceparent(text: str) -> str:
    """The header, or of a later version the part that version 00 defines; empty if malformed."""
    match = TRACEPARENT.fullmatch(text)
    if match is None:
        return ""
    version, trace, span, flags, rest = match.groups()
    if version == "00":
        return "" if rest else text
    return f"00-{trace}-{span}-{int(flags, 16) & 1:02x}"


def carried_tracestate(text: str) -> str:
    members = [member.strip(" \t") for member in text.split(",")]
    members = [member for member in members if member]
    if len(members) > MAX_MEMBERS or not all(TRACESTATE_MEMBER.fullmatch(member) for member in members):
        return ""
    joined = ",".join(members)
    return joined if len(joined) <= MAX_TRACESTATE else ""
