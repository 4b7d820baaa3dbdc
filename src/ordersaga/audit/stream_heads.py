"""The head of each stream during a verification, on disk: a million events may belong to a million streams."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from ordersaga.audit.leaf import Leaf
from ordersaga.store.hash_chain import GENESIS

CACHE_KB = 16_000

SCHEMA = f"""
pragma cache_size = -{CACHE_KB};
pragma synchronous = off;
pragma journal_mode = off;
create table heads (stream blob primary key, version integer, hash blob, present integer) without rowid;
create table gone (line blob);
begin;
"""
GONE = """
select gone.line, heads.present from gone
left join heads on heads.stream = substr(gone.line, 1, 16) order by gone.rowid
"""


class StreamHead(NamedTuple):
    """The newest event of a stream so far; `version` 0 is an empty stream."""

    version: int = 0
    hash: bytes = GENESIS
    present: int = 0
    """The newest version that the store still has."""


class StreamHeads:
    """A private SQLite database in a temporary file, deleted by `close`."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(SCHEMA)

    def head(self, stream: UUID) -> StreamHead:
        select = "select version, hash, present from heads where stream = ?"
        row = self._database.execute(select, (stream.bytes,)).fetchone()
        return StreamHead(*row) if row else StreamHead()

    def put(self, stream: UUID, head: StreamHead) -> None:
        self._database.execute("insert or replace into heads values (?, ?, ?, ?)", (stream.bytes, *head))

    def miss(self, leaf: Leaf) -> None:
        """Record a sealed event that the store does not have."""
        self._database.execute("insert into gone values (?)", (leaf.originator_id.bytes + leaf.line(),))

    def missed(self) -> Iterator[tuple[Leaf, int]]:
        """The missing events, each with the newest version of its stream that the store has, or 0."""
        for line, present in self._database.execute(GONE):
            yield Leaf.parse(line[16:]), present

    def close(self) -> None:
        self._database.close()
