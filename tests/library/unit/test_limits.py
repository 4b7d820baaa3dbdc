"""The limits of an envelope: what violates one is refused by its producer and by its readers, with the same reason."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from ordersaga.envelope import limits
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.declaration import require_contract, require_source
from ordersaga.envelope.limits import body_violation, require_within_limits, violation
from ordersaga.envelope.message import Cause, Message, UnreadableMessage, to_headers
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.announce import message_of
from ordersaga.store.announcements import Announcements
from tests.support.envelopes import from_headers

SOUND = Message(
    uuid4(), "test.counted.v1", "test", "cup", 1, datetime(2026, 11, 27, tzinfo=UTC), bytes(32), Cause(uuid4()), "{}"
)

LARGEST = [
    replace(SOUND, contract="a." + "b" * 195 + ".v1"),
    replace(SOUND, source="s" * 200),
    replace(SOUND, key="é" * 256),
    replace(SOUND, sequence=2**63 - 1),
    replace(SOUND, time=datetime(2000, 1, 1, tzinfo=UTC)),
    replace(SOUND, time=datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    replace(SOUND, cause=Cause(SOUND.cause.correlation_id, actor="a" * 1024)),
    replace(SOUND, body='{"a":' + "[" * 63 + "]" * 63 + "}"),
    replace(SOUND, body='{"a":[9223372036854775807,-9223372036854775807,1.5e300,1e-300,0e999,"\\ud83d\\ude42"]}'),
    replace(SOUND, body='{"a":"' + "b" * (limits.MAX_BODY - 8) + '"}'),
]
BEYOND: dict[str, tuple[dict[str, Any], str]] = {
    "a long contract": ({"contract": "a." + "b" * 255 + ".v1"}, "260 characters, more than 200"),
    "a contract that is a pattern": ({"contract": "a.#.v1"}, "not named"),
    "a contract of two words": ({"contract": "a.v1"}, "not named"),
    "a contract that is not ASCII": ({"contract": "ä.b.v1"}, "not named"),
    "an empty source": ({"source": ""}, "source '' is not printable"),
    "a long source": ({"source": "s" * 201}, "201 characters, more than 200"),
    "a source with NUL": ({"source": "a\0"}, "not printable"),
    "an empty key": ({"key": ""}, "key is empty"),
    "a long key": ({"key": "k" * 90_000}, "90000 bytes, more than 512"),
    "a long key of few characters": ({"key": "é" * 257}, "514 bytes, more than 512"),
    "a key with NUL": ({"key": "a\0"}, "key contains NUL"),
    "a negative sequence": ({"sequence": -1}, "sequence -1"),
    "a sequence beyond bigint": ({"sequence": 2**63}, "sequence 9223372036854775808"),
    "year 1": ({"time": datetime(1, 1, 1, tzinfo=UTC)}, "between the years"),
    "year 9999": ({"time": datetime(9999, 12, 31, tzinfo=UTC)}, "between the years"),
    "no time zone": ({"time": datetime(2026, 1, 1)}, "no time zone"),
    "no hash": ({"event_hash": b""}, "0 bytes, not 32"),
    "a short hash": ({"event_hash": bytes(31)}, "31 bytes, not 32"),
    "a long actor": ({"cause": Cause(uuid4(), actor="a" * 1025)}, "1025 bytes, more than 1024"),
    "an actor with NUL": ({"cause": Cause(uuid4(), actor="a\0")}, "actor contains NUL"),
    "a large body": ({"body": '{"a":"' + "b" * limits.MAX_BODY + '"}'}, "bytes, more than 8388608"),
    "a body nested 65 deep": ({"body": '{"a":' + "[" * 64 + "]" * 64 + "}"}, "nested deeper than 64"),
    "a body nested 5,000 deep": ({"body": '{"a":' + "[" * 5000 + "]" * 5000 + "}"}, "nested deeper than 64"),
    "a body that is a list": ({"body": "[]"}, "an object is expected"),
    "a body that is no JSON": ({"body": "{"}, "line 1"),
    "a body with NUL": ({"body": '{"a":"\\u0000"}'}, "a: NUL"),
    "a body with half a surrogate pair": ({"body": '{"a":"\\ud83d"}'}, "half a surrogate pair"),
    "a body with a name twice": ({"body": '{"a":1,"a":2}'}, "named twice"),
    "a body with NaN": ({"body": '{"a":NaN}'}, "NaN is not JSON"),
    "a body with a number beyond bigint": ({"body": '{"a":9223372036854775808}'}, "beyond 64 bits"),
    "a body with a number beyond a double": ({"body": '{"a":1e400}'}, "beyond a double"),
    "a body with a number too small for a double": ({"body": '{"a":1e-99999}'}, "beyond a double"),
}


@pytest.mark.parametrize("message", LARGEST)
def test_a_message_at_a_limit_is_announced_and_read(message: Message) -> None:
    require_within_limits(message)
    assert from_headers(to_headers(message), message.body.encode()) == message


@pytest.mark.parametrize("case", BEYOND)
def test_a_message_beyond_a_limit_is_refused_on_both_sides_for_the_same_reason(case: str) -> None:
    changed, reason = BEYOND[case]
    message = replace(SOUND, **changed)
    assert reason in (violation(message) or body_violation(message.body))
    with pytest.raises(ValueError, match="cannot be announced: ") as refused:
        require_within_limits(message)
    assert reason in str(refused.value)
    with pytest.raises(UnreadableMessage) as unreadable:
        from_headers(to_headers(message), message.body.encode())
    assert reason in str(unreadable.value) or "does not match" in str(unreadable.value)


@pytest.mark.parametrize("message", [replace(SOUND, key="\ud800"), replace(SOUND, body="\ud800")])
def test_half_a_surrogate_pair_is_refused_before_it_is_encoded(message: Message) -> None:
    assert "half a surrogate pair" in violation(message)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ce-sequence", "\uff11\uff12"),
        ("ce-sequence", " 7 "),
        ("ce-sequence", "1_000"),
        ("ce-sequence", 7),
        ("ce-eventhash", ""),
        ("ce-eventhash", "ab " * 32),
        ("ce-partitionkey", "saucer"),
        ("ce-time", "0001-01-01T00:00:00+14:00"),
        ("ce-time", 5),
        ("ce-id", {"a": 1}),
    ],
)
def test_a_header_that_python_would_read_generously_is_refused(header: str, value: Any) -> None:
    with pytest.raises(UnreadableMessage):
        from_headers({**to_headers(SOUND), header: value}, b"{}")


@pytest.mark.parametrize("traceparent", ["x", "00-aa-bb-01", "-", b"\xff", None, 7, "00-" + "0" * 32 + "-" + "1" * 16])
def test_an_invalid_trace_is_dropped_with_its_state_and_the_message_is_read(traceparent: Any) -> None:
    message = from_headers({**to_headers(SOUND), "traceparent": traceparent, "tracestate": "a=1"}, b"{}")
    assert (message.cause.traceparent, message.cause.tracestate) == ("", "")
    assert message == SOUND


def declared(name: str = "test.said.v1", source: str = "test", key: str = "about") -> type[Contract]:
    class Said(Contract):
        NAME: ClassVar[str] = name
        SOURCE: ClassVar[str] = source
        KEY: ClassVar[str] = key
        about: str = ""

    return Said


class WithoutSource(Contract):
    NAME: ClassVar[str] = "test.said.v1"
    KEY: ClassVar[str] = "about"
    about: str


def test_a_contract_without_a_source_is_refused_where_it_is_first_used_and_told_what_to_add() -> None:
    for use in (Announcements("test").without_event, Reactions().to, require_contract):
        with pytest.raises(ValueError, match="WithoutSource has no SOURCE: name the service that announces it"):
            use(WithoutSource)


def test_a_contract_with_a_malformed_name_or_source_is_refused() -> None:
    for contract in (declared(name="said"), declared(source="two words")):
        with pytest.raises(ValueError, match="Said: the"):
            require_contract(contract)


def test_a_service_cannot_name_the_contract_of_another_as_its_own() -> None:
    foreign = declared(source="payments")

    def make(_: Any) -> Contract:
        raise NotImplementedError

    make.__annotations__["return"] = foreign
    announcements = Announcements("orders")
    for refuse in (lambda: announcements.of(object)(make), lambda: announcements.without_event(foreign)):  # type: ignore[type-var]
        with pytest.raises(ValueError, match=r"test.said.v1 is announced by payments, so orders cannot announce it"):
            refuse()
    assert announcements.contracts == {}
    with pytest.raises(ValueError, match="orders cannot announce it"):
        require_source(foreign, "orders")


def test_a_message_without_an_event_has_the_source_of_its_contract_and_is_checked() -> None:
    said = declared(source="library")
    assert message_of(said(about="this"), id=None, sequence=0, cause=None).source == "library"
    with pytest.raises(ValueError, match=r"test.said.v1 cannot be announced: the key has 513 bytes, more than 512"):
        message_of(said(about="k" * 513), id=None, sequence=0, cause=None)
