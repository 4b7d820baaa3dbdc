"""The erasure of a person's keys, after which nobody can read the data sealed with them, and the list of erasures."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection


class Erasure(NamedTuple):
    """The keys of one person that were erased, by whom, when and why."""

    subject: str
    keys: list[UUID]
    actor: str
    reason: str
    erased_at: datetime


COUNT = "select count(*) from personal_keys where subject = %s and key is not null"
HOLD = "select id from personal_keys where subject = %s and key is not null for update"
ERASE = """
update personal_keys set key = null, erased_at = %(erased_at)s, erased_by = %(actor)s, reason = %(reason)s
where id = any(%(keys)s) and key is not null returning id
"""
CLEAR_REQUEST_HASHES = "update idempotency_keys set request_hash = '' where caller = %s and request_hash <> ''"
ALIVE = "select id from personal_keys where id = any(%s) and key is not null"
LATEST = """
select array_agg(id), erased_by, reason, erased_at from personal_keys where subject = %s and key is null
group by erased_by, reason, erased_at order by erased_at desc limit 1
"""


class Erasures:
    """The list of erasures: an append-only file outside the database, because a restored backup has the keys again."""

    def __init__(self, path: Path | None) -> None:
        """Without a path the list stays empty."""
        self.path = path

    def append(self, erasure: Erasure) -> None:
        """Write one line and flush it to disk; other processes may append at the same time."""
        if self.path is None:
            return
        line = "\n" + json.dumps(erasure._asdict(), default=str) + "\n"
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb", buffering=0) as file:
            # Several machines may share the file: over NFS two appends would write over each other.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line.encode())
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[Erasure]:
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            # An erasure whose line was cut off, for example by a full disk, did not happen.
            if not line.endswith("}"):
                continue
            fields = json.loads(line)
            fields["keys"] = [UUID(key) for key in fields["keys"]]
            fields["erased_at"] = datetime.fromisoformat(fields["erased_at"])
            yield Erasure(**fields)


def erase(connection: Connection[Any], subject: str, actor: str, reason: str, erasures: Erasures) -> Erasure:
    """Erase the keys of a person in this database, if it has any.

    The list is written first: `erase_again` repeats an erasure that was listed and did not happen.
    """
    with connection.transaction():
        keys = [row[0] for row in connection.execute(HOLD, (subject,))]
        erasure = Erasure(subject, keys, actor, reason, datetime.now(UTC))
        if keys:
            erasures.append(erasure)
        erase_keys(connection, erasure)
    return erasure


def erase_keys(connection: Connection[Any], erasure: Erasure) -> list[UUID]:
    """Erase the keys, and clear the hashes of the person's requests: a hash would confirm guessed data."""
    erased = [row[0] for row in connection.execute(ERASE, erasure._asdict())]
    connection.execute(CLEAR_REQUEST_HASHES, (erasure.subject,))
    return erased


def erase_again(connection: Connection[Any], erasures: Sequence[Erasure]) -> list[Erasure]:
    """Erase the listed keys that a restored backup has again. Returns the erasures that were repeated."""
    listed = [key for erasure in erasures for key in erasure.keys]
    alive = {row[0] for row in connection.execute(ALIVE, (listed,))}
    repeated = [erasure._replace(keys=[key for key in erasure.keys if key in alive]) for erasure in erasures]
    repeated = [erasure for erasure in repeated if erasure.keys]
    with connection.transaction():
        for erasure in repeated:
            erase_keys(connection, erasure)
    return repeated


def count(connection: Connection[Any], subject: str) -> int:
    """How many keys of a person are not erased: 0 or 1."""
    row = connection.execute(COUNT, (subject,)).fetchone()
    assert row is not None
    return int(row[0])


def latest(connection: Connection[Any], subject: str) -> Erasure | None:
    """The last erasure of a person in this database."""
    row = connection.execute(LATEST, (subject,)).fetchone()
    return Erasure(subject, *row) if row else None
