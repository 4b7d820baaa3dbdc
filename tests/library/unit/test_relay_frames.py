"""The frames that the relay writes are those that pika would write."""

from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from pika.frame import Body, Header, Method
from pika.spec import Basic

from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import Cause, Message, to_properties
from ordersaga.relay.frames import published

texts = st.text(st.characters(codec="utf-8"), max_size=80)
causes = st.builds(Cause, st.uuids(), st.none() | st.uuids(), actor=texts, traceparent=texts, tracestate=texts)


def message(key: str, cause: Cause, body: str) -> Message:
    return Message(uuid4(), "orders.order_placed.v1", "orders", key, 1, datetime.now(UTC), b"\1\2", cause, body)


def as_pika_does(message: Message, channel: int, largest_body: int) -> bytes:
    body = message.body.encode()
    publish = Basic.Publish(exchange=EVENTS, routing_key=message.routing_key, mandatory=True)
    frames = [Method(channel, publish), Header(channel, len(body), to_properties(message))]
    frames += [Body(channel, body[start : start + largest_body]) for start in range(0, len(body), largest_body)]
    return b"".join(frame.marshal() for frame in frames)


@given(st.builds(message, key=texts, cause=causes, body=texts), st.integers(1, 100), st.integers(1, 2047))
def test_every_message_is_written_as_pika_writes_it(message: Message, largest_body: int, channel: int) -> None:
    assert published(message, channel, largest_body) == as_pika_does(message, channel, largest_body)
