"""What is sealed of one stored event: a line of JSON that names it and holds what its hash chain does not cover."""

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIGINT = range(-(2**63), 2**63)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def iso(micros: int) -> str:
    """ISO 8601, or the bare number: Postgres has times that no `datetime` holds, such as infinity."""
    try:
        return (EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return str(micros)


def from_iso(text: str) -> int:
    """The inverse of `iso`. Raises ValueError, TypeError."""
    return int(text) if text.lstrip("-").isdecimal() else microseconds(datetime.fromisoformat(text))


def as_utf8(text: object) -> str:
    """Raises ValueError for what JSON can say and no database can hold: half a surrogate pair."""
    return str(text).encode().decode()


class Leaf(NamedTuple):
    """The chain's hash covers content, cause and actor; position, recording time and xid are the database's word."""

    originator_id: UUID
    version: int
    topic: str
    hash: bytes
    recorded_at: int
    """Microseconds since 1970."""
    position: int
    xid: int | None = None
    """The transaction; the first leaves of an older log have none."""

    def line(self) -> bytes:
        """The leaf's data, in its one exact form."""
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
