"""Whatever properties a publisher wrote, a worker can hold the delivery: pika's own decoder raises at some of them."""

import struct
from typing import Any

import pytest
from pika import frame
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from ordersaga.consumer.intake import from_dead_letters, from_queue
from ordersaga.consumer.properties import UNREADABLE, tolerate_all_properties
from ordersaga.inbox.headers import MAX_DEPTH, as_json

RAISES = {
    "a timestamp after the year 9999": b"T" + b"\xff" * 8,
    "20,000 arrays in one another": b"".join(b"A" + struct.pack(">I", 5 * inner) for inner in reversed(range(20_000))),
    "a type of no AMQP": b"?",
    "a number that is cut off": b"l\0",
    "not a number": b"d" + struct.pack(">d", float("nan")),
}


def header_frame(value: bytes, name: bytes = b"ce-time") -> bytes:
    """The frame of a message's properties, with one header of this encoded value."""
    entry = struct.pack("B", len(name)) + name + value
    properties = struct.pack(">HI", BasicProperties.FLAG_HEADERS, len(entry)) + entry
    payload = struct.pack(">HHQ", BasicProperties.CLASS.INDEX, 0, 0) + properties
    return struct.pack(">BHI", 2, 1, len(payload)) + payload + b"\xce"


def decoded(data: bytes) -> BasicProperties:
    tolerate_all_properties()
    return frame.decode_frame(data)[1].properties


@pytest.mark.parametrize("value", RAISES.values(), ids=RAISES)
def test_headers_that_cannot_be_read_say_so(value: bytes) -> None:
    with pytest.raises((ValueError, OverflowError, RecursionError, struct.error, AMQPError)):
        BasicProperties().decode(header_frame(value)[19:-1])
    delivery = from_queue("q", Basic.Deliver("c", 1, False, "events", "a.b.v1.00"), decoded(header_frame(value)), b"")
    assert UNREADABLE in delivery.headers


def test_different_unreadable_headers_stay_different() -> None:
    one, other = (decoded(header_frame(b"T" + last)) for last in (b"\xff" * 8, b"\xff" * 7 + b"\xfe"))
    assert one.headers != other.headers


def test_names_and_routing_keys_in_no_encoding_become_text() -> None:
    properties = decoded(header_frame(b"V", name=b"\xff\xfe"))
    delivery = from_queue("q", Basic.Deliver("c", 1, False, "events", b"a.\xff.v1.00"), properties, b"")
    assert delivery.headers == {"\\xff\\xfe": None}
    assert delivery.routing_key == "a.\\xff.v1.00"


def test_what_is_nested_too_deep_becomes_a_text() -> None:
    nested: Any = "x"
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    properties = BasicProperties(headers={"deep": nested, "flat": {"a": [1]}})
    delivery = from_queue("q", Basic.Deliver(routing_key="a.b.v1.00"), properties, b"")
    stored = as_json(delivery.headers)
    assert "nested more than" in str(stored["deep"])
    assert stored["flat"] == {"a": [1]}


@pytest.mark.parametrize("death", ["junk", [], [7], {}, [{"reason": 7, "routing-keys": "x"}], [{}], None, [[]]])
def test_a_forged_death_is_a_death_of_unknown_reason(death: Any) -> None:
    method, properties = Basic.Deliver(routing_key="group"), BasicProperties(headers={"x-death": death})
    delivery = from_dead_letters("q", method, properties, b"")
    assert delivery.routing_key == "group"
    assert delivery.dead_lettered.startswith("dead-lettered by the broker: ")
