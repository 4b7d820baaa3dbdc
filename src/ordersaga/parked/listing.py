"""Pages of parked messages, with a filter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from psycopg import Connection
from psycopg.rows import dict_row

from ordersaga.parked.refused_by import REFUSED_BY, RefusedBy, statement


class ParkedCursor(NamedTuple):
    """The end of a page: messages that reactions refused come first, then those that the broker refused."""

    refused_by: RefusedBy
    position: int

    def __str__(self) -> str:
        return f"{self.refused_by}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        by, _, position = text.partition(".")
        if by not in REFUSED_BY:
            raise ValueError(f"{text!r} is not where a page ended")
        return cls(by, int(position))


def starts(after: ParkedCursor | None, only: RefusedBy | None) -> Iterator[ParkedCursor]:
    """The start of the messages behind the cursor that reactions refused, and of those that the broker refused."""
    for by in REFUSED_BY[REFUSED_BY.index(after.refused_by) if after else 0 :]:
        if only in (None, by):
            yield after if after and by == after.refused_by else ParkedCursor(by, 0)


MESSAGES = """
select %(refused_by)s::text as refused_by, position, message_id, contract, key, state, attempts, {failure} as failure,
    error, place, message, parked_at, next_attempt_at, edits, {on_hold} as on_hold
from {rows}
where position > %(after)s and (%(failure)s::text is null or {failure} = %(failure)s)
    and (%(state)s::text is null or state = %(state)s) and (%(key)s::text is null or key = %(key)s)
    and (not %(failed)s or state <> 'waiting')
order by position limit %(limit)s
"""


@dataclass(frozen=True)
class ParkedFilter:
    """A filter of parked messages; None filters nothing."""

    failure: str | None = None
    state: str | None = None
    key: str | None = None
    refused_by: RefusedBy | None = None
    failed: bool = False
    """Only messages that failed, not those that wait behind them."""


def messages(
    connection: Connection[Any], wanted: ParkedFilter, limit: int | None = None, after: ParkedCursor | None = None
) -> list[dict[str, Any]]:
    """The first messages behind a cursor, in the order in which they were parked."""
    found: list[dict[str, Any]] = []
    for by, position in starts(after, wanted.refused_by):
        left = None if limit is None else limit - len(found)
        parameters = {**vars(wanted), "refused_by": by, "after": position, "limit": left}
        with connection.cursor(row_factory=dict_row) as cursor:
            found += cursor.execute(statement(MESSAGES, by), parameters)
    return found


def cursor_of(row: dict[str, Any]) -> ParkedCursor:
    """The cursor behind a row of `messages`."""
    return ParkedCursor(row["refused_by"], row["position"])
