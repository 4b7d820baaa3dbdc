"""The properties of a delivery as a worker can hold them, whatever its publisher wrote.

RabbitMQ passes on headers that pika cannot read: a timestamp after the year 9999, tables in one another some thousand
deep. pika raises there, the message comes again, and every worker of the group would end at it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pika import spec
from pika.spec import BasicProperties

MAX_NESTING = 16
"""Tables and arrays within one another in a header; services write none."""
UNREADABLE = "unreadable-properties"
DIGEST = "sha256-of-properties"


class TolerantProperties(BasicProperties):  # type: ignore[misc]
    """Properties that never raise: those that cannot be read have headers that say so."""

    def decode(self, encoded: bytes, offset: int = 0) -> "TolerantProperties":
        try:
            super().decode(encoded, offset)
        except Exception as error:  # noqa: BLE001 - ValueError, OverflowError, RecursionError, struct.error, pika's own
            self.headers = {UNREADABLE: f"{type(error).__name__}: {error}", DIGEST: sha256(encoded).hexdigest()}
        return self


def tolerate_all_properties() -> None:
    """Let pika read the properties of all deliveries of this process as TolerantProperties."""
    spec.props[BasicProperties.CLASS.INDEX] = TolerantProperties


def readable_headers(properties: BasicProperties) -> dict[str, Any]:
    """The headers with text as names, and without what is nested too deep to be stored."""
    headers: dict[str, Any] = properties.headers or {}
    if all(type(name) is str and type(value) is str for name, value in headers.items()):
        return headers
    return {as_text(name): bounded(value, MAX_NESTING) for name, value in headers.items()}


def bounded(value: Any, depth: int) -> Any:
    """The value, or a text in place of what is nested deeper than `depth`."""
    match value:
        case Mapping() | list() if depth == 0:
            return f"nested more than {MAX_NESTING} deep"
        case Mapping():
            return {as_text(name): bounded(part, depth - 1) for name, part in value.items()}
        case list():
            return [bounded(part, depth - 1) for part in value]
        case _:
            return value


def as_text(name: str | bytes) -> str:
    """A short string of AMQP; bytes that are not UTF-8 become escapes."""
    return name if isinstance(name, str) else name.decode(errors="backslashreplace")
