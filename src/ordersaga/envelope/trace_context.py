"""W3C trace context: the two headers as far as they are valid (https://www.w3.org/TR/trace-context/)."""

import re

TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACESTATE_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
MAX_MEMBERS = 32
MAX_TRACESTATE = 512


def valid_traceparent(text: str) -> str:
    """The header, or of a later version the part that version 00 defines; empty if malformed."""
    match = TRACEPARENT.fullmatch(text)
    if match is None:
        return ""
    version, trace, span, flags, rest = match.groups()
    if version == "00":
        return "" if rest else text
    return f"00-{trace}-{span}-{int(flags, 16) & 1:02x}"


def valid_tracestate(text: str) -> str:
    """The header without empty members; empty if malformed or too long."""
    members = [member.strip(" \t") for member in text.split(",")]
    members = [member for member in members if member]
    if len(members) > MAX_MEMBERS or not all(TRACESTATE_MEMBER.fullmatch(member) for member in members):
        return ""
    joined = ",".join(members)
    return joined if len(joined) <= MAX_TRACESTATE else ""
