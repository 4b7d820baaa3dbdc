"""A message as the AMQP frames that pika would send.

CPU of a relay per message, medians of seven paired runs of 20,000 messages: 60 µs with `basic_publish`, 44 with pika's
own frames in one write, 28 with these in one write. A property test compares them with pika's byte by byte.
"""

from functools import cache
from struct import Struct

from pika import BasicProperties
from pika.frame import Method
from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, Basic

from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import CONTENT_TYPE, PERSISTENT, Message, to_headers

FLAGS = (
    BasicProperties.FLAG_CONTENT_TYPE
    | BasicProperties.FLAG_HEADERS
    | BasicProperties.FLAG_DELIVERY_MODE
    | BasicProperties.FLAG_CORRELATION_ID
    | BasicProperties.FLAG_MESSAGE_ID
    | BasicProperties.FLAG_TYPE
)
frame_start = Struct(">BHI").pack
content_start = Struct(">HxxQ").pack
length = Struct(">I").pack
END = bytes((FRAME_END,))


@cache
def short(text: str) -> bytes:
    """Raises ValueError when it is longer than 255 bytes."""
    data = text.encode()
    return bytes((len(data),)) + data


@cache
def field(name: str) -> bytes:
    """The name of a header, and the type of its value: a long string."""
    return short(name) + b"S"


START = FLAGS.to_bytes(2, "big") + short(CONTENT_TYPE)
UUID_LENGTH = b"\x24"
BEFORE_CORRELATION_ID = bytes((PERSISTENT,)) + UUID_LENGTH


def published(message: Message, channel: int, max_body_bytes: int, exchange: str = EVENTS) -> bytes:
    """All frames that publish a message, mandatory; its properties are those of `to_properties`."""
    body = message.body.encode()
    header = content_start(BasicProperties.INDEX, len(body)) + properties(message)
    frames = [
        method(message.routing_key, channel, exchange),
        frame_start(FRAME_HEADER, channel, len(header)),
        header,
        END,
    ]
    for start in range(0, len(body), max_body_bytes):
        part = body[start : start + max_body_bytes]
        frames += (frame_start(FRAME_BODY, channel, len(part)), part, END)
    return b"".join(frames)


@cache
def method(routing_key: str, channel: int, exchange: str) -> bytes:
    """The first frame of a message; there are 16 different ones for each contract and exchange."""
    publish = Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True)
    frame: bytes = Method(channel, publish).marshal()
    return frame


def properties(message: Message) -> bytes:
    headers = to_headers(message)
    return b"".join(
        (
            START,
            table(headers),
            BEFORE_CORRELATION_ID,
            headers["ce-correlationid"].encode(),
            UUID_LENGTH,
            headers["ce-id"].encode(),
            short(message.contract),
        )
    )


def table(headers: dict[str, str]) -> bytes:
    parts: list[bytes] = []
    for name, value in headers.items():
        data = value.encode()
        parts += (field(name), length(len(data)), data)
    fields = b"".join(parts)
    return length(len(fields)) + fields
