"""Trace context that is carried on, and what is begun anew instead."""

import re
from uuid import UUID

import pytest
from werkzeug.datastructures import Headers

from ordersaga.http.trace_context import cause_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"
BEGUN = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


@pytest.mark.parametrize(
    ("given", "carried"),
    [
        (VALID, VALID),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"01-{TRACE}-{SPAN}-03-what-the-future-brings", VALID),
        (f"01-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-00"),
    ],
)
def test_a_valid_traceparent_is_carried_on(given: str, carried: str) -> None:
    assert cause_of(Headers({"traceparent": given})).traceparent == carried


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        VALID.upper(),
        VALID + "-01",
        VALID + "," + VALID,
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
    ],
)
def test_an_invalid_traceparent_begins_a_new_trace_without_the_old_state(given: str) -> None:
    first, second = (cause_of(Headers({"traceparent": given, "tracestate": "a=1"})) for _ in range(2))
    assert BEGUN.fullmatch(first.traceparent)
    assert first.traceparent != second.traceparent
    assert first.tracestate == ""


@pytest.mark.parametrize(
    ("given", "carried"),
    [
        ("a=1, b@c=2 ,", "a=1,b@c=2"),
        ("a=1,B=2", ""),
        ("a", ""),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        ("a=" + "x" * 600, ""),
        ("a=é", ""),
    ],
)
def test_tracestate_is_carried_on_when_it_is_valid(given: str, carried: str) -> None:
    assert cause_of(Headers({"traceparent": VALID, "tracestate": given})).tracestate == carried


def test_a_correlation_id_is_carried_on_when_it_is_a_uuid() -> None:
    given = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
    assert cause_of(Headers({"X-Correlation-Id": str(given)})).correlation_id == given
    assert cause_of(Headers({"X-Correlation-Id": "order 7"})).correlation_id.version == 7
