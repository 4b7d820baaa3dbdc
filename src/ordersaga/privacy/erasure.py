"""Erasing a person's keys, which makes everything sealed under them unreadable for good, and the list of erasures."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection


class Erasure(NamedTuple):
    """Who had which keys of whom erased, when and why."""

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
FORGET_REQUESTS = "update idempotency_keys set request_hash = '' where caller = %s and request_hash <> ''"
ALIVE = "select id from personal_keys where id = any(%s) and key is not null"
LATEST = """
select array_agg(id), erased_by, reason, erased_at from personal_keys where subject = %s and key is null
group by erased_by, reason, erased_at order by erased_at desc limit 1
"""


class Erasures:
    """A list outside the database, append-only: a restored backup has the keys again, the list says which."""

    def __init__(self, path: Path | None) -> None:
        """Without a path nothing is listed."""
        self.path = path

    def append(self, erasure: Erasure) -> None:
        """On the disk when this returns, whole or not at all, whoever else appends."""
        if self.path is None:
            return
        line = "\n" + json.dumps(erasure._asdict(), default=str) + "\n"
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb", buffering=0) as file:
            file.write(line.encode())
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[Erasure]:
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            # A line that was cut off, by a full disk say, is of an erasure that did not happen.
            if not line.endswith("}"):
                continue
            said = json.loads(line)
            said |= {"keys": [UUID(key) for key in said["keys"]]}
            yield Erasure(**said | {"erased_at": datetime.fromisoformat(said["erased_at"])})


def erase(connection: Connection[Any], subject: str, actor: str, reason: str, erasures: Erasures) -> Erasure:
    """Erase the keys that this database has of a person; of one it has none of, nothing.

    They are listed first: an erasure that was listed and did not happen is made good by `erase_again`.
    """
    with connection.transaction():
        keys = [row[0] for row in connection.execute(HOLD, (subject,))]
        erasure = Erasure(subject, keys, actor, reason, datetime.now(UTC))
        if keys:
            erasures.append(erasure)
        carry_out(connection, erasure)
    return erasure


def carry_out(connection: Connection[Any], erasure: Erasure) -> list[UUID]:
    """Also forget the hashes of the person's requests: who guesses the data could prove it with them."""
    erased = [row[0] for row in connection.execute(ERASE, erasure._asdict())]
    connection.execute(FORGET_REQUESTS, (erasure.subject,))
    return erased


def erase_again(connection: Connection[Any], erasures: Sequence[Erasure]) -> list[Erasure]:
    """Erase the listed keys that have come back with a backup; returns the erasures that had to be repeated."""
    listed = [key for erasure in erasures for key in erasure.keys]
    alive = {row[0] for row in connection.execute(ALIVE, (listed,))}
    repeated = [erasure._replace(keys=[key for key in erasure.keys if key in alive]) for erasure in erasures]
    repeated = [erasure for erasure in repeated if erasure.keys]
    with connection.transaction():
        for erasure in repeated:
            carry_out(connection, erasure)
    return repeated


def count(connection: Connection[Any], subject: str) -> int:
    """Keys of a person that are not erased; more than one of a person there never is."""
    row = connection.execute(COUNT, (subject,)).fetchone()
    assert row is not None
    return int(row[0])


def latest(connection: Connection[Any], subject: str) -> Erasure | None:
    """The last erasure of a person here."""
    row = connection.execute(LATEST, (subject,)).fetchone()
    return Erasure(subject, *row) if row else None
