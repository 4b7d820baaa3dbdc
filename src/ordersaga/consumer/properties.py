"""The properties of a delivery as a worker can hold them, whatever its publisher wrote.

RabbitMQ passes on headers that pika cannot read: a timestamp after the year 9999, tables in one another some thousand
deep. pika raises there, the message comes again, and every worker of the group would end at it.
"""

from hashlib import sha256
from typing import Any

from pika import spec
from pika.spec import BasicProperties

from ordersaga.inbox.headers import as_text

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
    """The headers with text as names."""
    return {as_text(name): value for name, value in (properties.headers or {}).items()}
