"""Refused messages: what is parked, or was refused by the broker, in a database."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from ordersaga.parked.table import ANNOUNCED_ID

PARKED = f"""
select message_id::text, ({ANNOUNCED_ID})::text as announced_id, coalesce(key, '') as key, state,
    concat_ws(': ', nullif(error, ''), nullif(left(message, 200), '')) as reason
from parked_messages order by position
"""  # noqa: S608 - a constant
UNDELIVERABLE = """
select message_id::text, message_id::text as announced_id, key, kind as state, reason
from undeliverable order by position
"""
BEHIND = ("waiting", "waits")
"""States of a message that waits only because one of its key before it does."""


class Refused(NamedTuple):
    """A message that is parked, or that the broker refused; `announced_id` is its id in the outbox of its source."""

    message_id: str
    announced_id: str
    key: str
    state: str
    reason: str

    def is_one_of(self, ids: Collection[str]) -> bool:
        return self.message_id in ids or self.announced_id in ids


def keys_of(messages: Iterable[Refused], ids: Collection[str]) -> set[str]:
    """The keys whose sagas wait because of one of these messages."""
    return {message.key for message in messages if message.key and message.is_one_of(ids)}
