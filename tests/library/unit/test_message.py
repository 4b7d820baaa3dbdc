"""The envelope: ids and partitions that never change, and the way through AMQP properties and back."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from ordersaga.envelope.message import (
    COLUMNS,
    PARTITIONS,
    Cause,
    Message,
    UnreadableMessage,
    from_row,
    message_id,
    partition_of,
    to_properties,
    to_row,
)
from tests.support.envelopes import from_headers

MESSAGE = Message(
    id=UUID("9b4b2a53-9b32-5f3e-8a3e-0c6f4a4f7c11"),
    contract="test.counted.v1",
    source="counting",
    key="Tasse, groß/日本",
    sequence=7,
    time=datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
    event_hash=bytes(range(32)),
    cause=Cause(
        correlation_id=UUID("01890000-0000-7000-8000-000000000001"),
        causation_id=UUID("01890000-0000-7000-8000-000000000002"),
        actor="Zoë",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        tracestate="congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
    ),
    body='{"cup":"Tasse, groß/日本","name":"🙂"}',
)

PARTITION_OF_KEY = {
    "": 0,
    "cup": 4,
    "123456789": 0xCBF43926 % 16,  # the check value that every description of CRC-32 gives
    "Tasse, groß/日本": 8,
    "pot": 15,
    "01890000-0000-7000-8000-000000000001": 2,
}
NEEDED = ("ce-id", "ce-type", "ce-source", "ce-subject", "ce-sequence", "ce-time", "ce-eventhash", "ce-correlationid")
MALFORMED = {
    "ce-id": "nine",
    "ce-type": 7,
    "ce-source": None,
    "ce-subject": b"bytes",
    "ce-sequence": "seven",
    "ce-time": "yesterday",
    "ce-eventhash": "xyz",
    "ce-correlationid": "",
    "ce-causationid": "x",
    "ce-actor": "NUL \0",
}


def headers_of(message: Message) -> dict[str, Any]:
    headers: dict[str, Any] = to_properties(message).headers
    return headers


def test_a_row_has_every_part_of_a_message_in_the_order_of_the_columns() -> None:
    row = dict(zip(COLUMNS, to_row(MESSAGE), strict=True))
    assert (row["key"], row["tracestate"], row["body"]) == (MESSAGE.key, MESSAGE.cause.tracestate, MESSAGE.body)
    assert from_row(row.values()) == MESSAGE


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        replace(MESSAGE, cause=Cause(MESSAGE.cause.correlation_id)),
        replace(MESSAGE, cause=replace(MESSAGE.cause, tracestate="")),
        replace(MESSAGE, key=" ", body="{}", sequence=2**40),
    ],
    ids=["everything", "no cause", "no tracestate", "blank key"],
)
def test_a_message_comes_back_from_its_envelope_as_it_was(message: Message) -> None:
    assert from_headers(headers_of(message), message.body.encode()) == message


def test_the_properties_are_cloudevents_in_amqp_binary_mode() -> None:
    properties = to_properties(MESSAGE)
    assert properties.headers == {
        "ce-specversion": "1.0",
        "ce-id": "9b4b2a53-9b32-5f3e-8a3e-0c6f4a4f7c11",
        "ce-source": "counting",
        "ce-type": "test.counted.v1",
        "ce-subject": "Tasse, groß/日本",
        "ce-time": "2026-11-23T01:02:03.456789+00:00",
        "ce-dataschema": "urn:contract:test.counted.v1",
        "ce-sequence": "7",
        "ce-partitionkey": "Tasse, groß/日本",
        "ce-eventhash": bytes(range(32)).hex(),
        "ce-correlationid": "01890000-0000-7000-8000-000000000001",
        "ce-causationid": "01890000-0000-7000-8000-000000000002",
        "ce-actor": "Zoë",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
    }
    assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert (properties.message_id, properties.type) == (str(MESSAGE.id), MESSAGE.contract)


def test_an_envelope_survives_the_wire_format_of_amqp() -> None:
    decoded = type(to_properties(MESSAGE))()
    decoded.decode(b"".join(to_properties(MESSAGE).encode()))
    assert from_headers(decoded.headers, MESSAGE.body.encode()) == MESSAGE


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_header_is_named(name: str) -> None:
    headers = headers_of(MESSAGE)
    del headers[name]
    with pytest.raises(UnreadableMessage, match=f"^header {name} is missing$"):
        from_headers(headers, MESSAGE.body.encode())


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_header_makes_the_message_unreadable(name: str) -> None:
    with pytest.raises(UnreadableMessage, match="header or body is malformed"):
        from_headers({**headers_of(MESSAGE), name: MALFORMED[name]}, MESSAGE.body.encode())


def test_a_body_that_is_not_utf8_makes_the_message_unreadable() -> None:
    with pytest.raises(UnreadableMessage, match="header or body is malformed"):
        from_headers(headers_of(MESSAGE), b"\xff\xfe")


def test_the_id_of_an_announcement_never_changes() -> None:
    counter = UUID("01890000-0000-7000-8000-000000000001")
    assert message_id("counting", counter, 1, "test.counted.v1") == UUID("e3783e41-4dda-5a2c-810a-c5ce9b329891")


def test_everything_an_id_is_computed_from_makes_another_id() -> None:
    first, second = UUID("01890000-0000-7000-8000-000000000001"), UUID("01890000-0000-7000-8000-000000000002")
    ids = {
        message_id("counting", first, 1, "test.counted.v1"),
        message_id("another", first, 1, "test.counted.v1"),
        message_id("counting", second, 1, "test.counted.v1"),
        message_id("counting", first, 11, "test.counted.v1"),
        message_id("counting", first, 1, "test.counted.v2"),
    }
    assert len(ids) == 5


@pytest.mark.parametrize(("key", "partition"), PARTITION_OF_KEY.items())
def test_the_partition_of_a_key_never_changes(key: str, partition: int) -> None:
    assert partition_of(key) == partition


def test_keys_spread_over_all_partitions() -> None:
    assert {partition_of(str(number)) for number in range(200)} == set(range(PARTITIONS))


def test_the_routing_key_ends_in_the_partition_as_two_digits() -> None:
    assert MESSAGE.routing_key == "test.counted.v1.08"
    assert replace(MESSAGE, key="pot").routing_key == "test.counted.v1.15"


def test_a_reaction_is_caused_by_the_message_and_keeps_all_else() -> None:
    cause = MESSAGE.caused_by_this()
    assert cause.causation_id == MESSAGE.id
    for field in fields(Cause):
        if field.name != "causation_id":
            assert getattr(cause, field.name) == getattr(MESSAGE.cause, field.name)
