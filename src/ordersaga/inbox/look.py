"""Look: what a batch of messages has to know of the database before it is handled, read in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.inbox.delivery import Received
from ordersaga.store import aggregates
from ordersaga.store.aggregates import NOTHING, ROWS, WANTED, History
from ordersaga.store.cache import NO_CACHE, AggregateCache

TAKEN, PARKED, LOADED = 1, 2, 3

LOOK = f"""
with {WANTED}
select {TAKEN}::smallint, id, null::bigint, null::text, null::bytea, event_hash
from unnest((select %(messages)b::uuid[])) as id cross join lateral (
    select event_hash from inbox where message_id = id limit 1) as taken
union all
select {PARKED}::smallint, null, null, wanted, null, null
from unnest((select %(keys)b::text[])) as wanted cross join lateral (
    select from parked_messages where key = wanted limit 1) as parked
union all
select {LOADED}::smallint, loaded.* from ({ROWS}) as loaded
order by 1, 2, 3
"""  # noqa: S608 - constants


@dataclass(slots=True)
class Look:
    """What was found. A flush fails if it is no longer so: by the versions, the inbox and the parked messages."""

    known: dict[UUID, bytes] = field(default_factory=dict)
    """The messages that took effect before: message id -> hash of the event that it announced."""
    parked: set[str] = field(default_factory=set)
    """The keys that have parked messages."""
    ids: Sequence[UUID] = ()
    """The aggregates that were looked for."""
    histories: Mapping[UUID, History] = field(default_factory=dict)
    """Those of them that exist."""
    cache: AggregateCache = NO_CACHE
    """Where they come from and go after the commit."""


def look(
    connection: Connection[Any],
    messages: Sequence[Received],
    ids: Iterable[UUID] = (),
    cached: Mapping[UUID, History] = NOTHING,
    cache: AggregateCache = NO_CACHE,
) -> Look:
    """Look for these messages, their keys, and the aggregates of these ids, some of which are `cached`."""
    wanted = list(dict.fromkeys(ids))
    parameters = {
        **aggregates.parameters(wanted, cached),
        "messages": [message.id for message in messages],
        "keys": list({message.key for message in messages}),
    }
    found = Look(ids=wanted, cache=cache)
    loaded = []
    with connection.cursor(binary=True) as cursor:
        for kind, *row in cursor.execute(LOOK, parameters, prepare=True):
            if kind == LOADED:
                loaded.append(row)
            elif kind == TAKEN:
                found.known[row[0]] = row[-1]
            else:
                found.parked.add(row[2])
    found.histories = aggregates.continued(connection, loaded, cached)
    return found
