"""Ids by some of their digits: the last ones of a key, the first ones of a message, or all."""

import re
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

FEWEST = 4
ALL = 32
SHOWN = 8
DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST},{ALL}}}")
RULE = f"an id, or at least {FEWEST} of its hexadecimal digits"
MAX_CANDIDATES = 10
"""How many ids are named where digits fit several."""
INDEXED = 12
"""The last digits of a key that are in the index `event_log_key_end`."""


def short(identifier: object) -> str:
    """The short form that pages show: the last eight digits, because those of a UUIDv7 that come first are its time."""
    return str(identifier)[-SHOWN:]


def digits_of(text: str) -> str | None:
    """The digits of an id or of a part of one, without hyphens; None where the text is neither."""
    digits = text.strip().lower().replace("-", "")
    return digits if DIGITS.fullmatch(digits) else None


def whole(digits: str) -> UUID | None:
    """The id, where these are all of its digits."""
    return UUID(digits) if len(digits) == ALL else None


def bounds(digits: str) -> tuple[UUID, UUID]:
    """The lowest and the highest id that begin with these digits."""
    return UUID(digits.ljust(ALL, "0")), UUID(digits.ljust(ALL, "f"))


KEYS_ENDING = SQL("""
select distinct key
from (select key from event_log
    where causation_id is null and reverse("right"(key, 12)) collate "C" between %(low)s and %(high)s
    limit 1000) as ending
where "right"(replace(key, '-', ''), %(length)s) = %(digits)s
order by key limit %(limit)s
""")


def keys_ending(connection: Connection[Any], digits: str, limit: int = MAX_CANDIDATES) -> list[UUID]:
    """The keys that are ids with these last digits and have a message that no other caused, such as each order."""
    backwards = digits[-INDEXED:][::-1]
    values = {"low": backwards, "high": backwards + "~", "digits": digits, "length": len(digits), "limit": limit}
    keys = [digits_of(key) for (key,) in connection.execute(KEYS_ENDING, values)]
    return [UUID(key) for key in keys if key and len(key) == ALL]


MESSAGES_BEGINNING = SQL("""
select message_id from event_log where message_id between %(low)s and %(high)s order by message_id limit %(limit)s
""")


def messages_beginning(connection: Connection[Any], digits: str, limit: int = MAX_CANDIDATES) -> list[UUID]:
    """The messages whose id has these first digits."""
    low, high = bounds(digits)
    rows = connection.execute(MESSAGES_BEGINNING, {"low": low, "high": high, "limit": limit})
    return [message for (message,) in rows]


def named(candidates: list[UUID]) -> str:
    """The candidates of ambiguous digits, for a person."""
    more = " and others" if len(candidates) >= MAX_CANDIDATES else ""
    return ", ".join(map(str, candidates)) + more
