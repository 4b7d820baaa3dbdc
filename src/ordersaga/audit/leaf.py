"""The leaf of one stored event: a line of JSON with its name, its chain hash, and the columns outside that hash."""

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIGINT = range(-(2**63), 2**63)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def iso(micros: int) -> str:
    """ISO 8601; the bare number for times that no `datetime` holds, such as Postgres' infinity."""
    try:
        return (EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return str(micros)


def from_iso(text: str) -> int:
    """The inverse of `iso`. Raises ValueError, TypeError."""
    return int(text) if text.lstrip("-").isdecimal() else microseconds(datetime.fromisoformat(text))


def as_utf8(text: object) -> str:
    """The text. Raises ValueError for half a surrogate pair, which JSON can express and no database can store."""
    return str(text).encode().decode()


class Leaf(NamedTuple):
    """The chain hash covers content, cause and actor; position, recording time and xid come from the database."""

    originator_id: UUID
    version: int
    topic: str
    hash: bytes
    recorded_at: int
    """Microseconds since 1970."""
    position: int
    xid: int | None = None
    """The transaction id; None in the first leaves of a log that an older version began."""

    def line(self) -> bytes:
        """The leaf as bytes, in its one exact form."""
        columns = [str(self.originator_id), self.version, self.topic, self.hash.hex(), self.recorded_at, self.position]
        if self.xid is not None:
            columns.append(self.xid)
        return json.dumps(columns, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, line: bytes) -> "Leaf":
        """Raises ValueError."""
        try:
            id_, version, topic, hash_, *numbers = json.loads(line)
            leaf = cls(UUID(id_), int(version), as_utf8(topic), bytes.fromhex(hash_), *map(int, numbers))
        except (TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{error}") from None
        if leaf.line() != line:
            raise ValueError("not in its one exact form")
        if leaf.version not in BIGINT or leaf.position not in BIGINT:
            raise ValueError("no database holds such a number")
        return leaf
