"""What is sealed of one stored event: a line of JSON that names it and holds what its hash chain does not cover."""

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


class Leaf(NamedTuple):
    """The chain's hash covers content, cause and actor; position and recording time are the database's word."""

    originator_id: UUID
    version: int
    topic: str
    hash: bytes
    recorded_at: datetime
    position: int

    def line(self) -> bytes:
        """The leaf's data, in its one exact form."""
        id_, micros = str(self.originator_id), microseconds(self.recorded_at)
        return json.dumps(
            [id_, self.version, self.topic, self.hash.hex(), micros, self.position], separators=(",", ":")
        ).encode()

    @classmethod
    def parse(cls, line: bytes) -> "Leaf":
        """Raises ValueError."""
        try:
            id_, version, topic, hash_, micros, position = json.loads(line)
            recorded_at = EPOCH + timedelta(microseconds=micros)
            leaf = cls(UUID(id_), int(version), str(topic), bytes.fromhex(hash_), recorded_at, int(position))
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"{error}") from None
        if leaf.line() != line:
            raise ValueError("not in its one exact form")
        return leaf
