"""Numbers, rates and durations of orders; the cost of a figure does not grow with the tables."""

from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.readside.rows import Row, select
from projections.queries import sagas
from projections.queries.sagas import RECENT, Saga, Waiting
from projections.views import sagas as sagas_view
from projections.views.columns import received_names_of

RATE_SECONDS = 10


class Counts(Row):
    """Exact numbers of orders: by state, of those the ended ones, and the unfinished ones by what they wait for."""

    placed: int
    confirmed: int
    cancelled: int
    unfinished: int
    confirmed_ended: int
    cancelled_ended: int
    waiting: dict[Waiting, int]


class Minute(Row):
    """The messages of the minute that begins at `minute`, and those that place, confirm and cancel orders."""

    minute: datetime
    placed: int
    confirmed: int
    cancelled: int
    messages: int


class Rate(Row):
    """Messages and placed orders per second, over the last RATE_SECONDS."""

    messages: float
    orders: float


class Duration(Row):
    """How long the last ended orders took from placed to ended, in seconds."""

    state: Literal["confirmed", "cancelled"]
    orders: int
    median: float
    p95: float
    p99: float


class Figures(Row):
    """`share_confirmed` is of the orders that ended, null when none has; `minutes` end with the current one.

    `share_confirmed_last_hour` is of the orders that were confirmed or cancelled within the last sixty minutes.
    """

    counts: Counts
    share_confirmed: float | None
    share_confirmed_last_hour: float | None
    rate: Rate
    durations: list[Duration]
    oldest_unfinished: Saga | None
    minutes: list[Minute]


PLACED, CONFIRMED, CANCELLED = (
    SQL(received_names_of(sagas_view.COLUMNS[column].contracts))
    for column in ("placed_at", "confirmed_at", "cancelled_at")
)

COUNTS = SQL("""
with waiting as (select waits_for, count(*) as orders from saga_view where waits_for is not null group by waits_for),
summed as (
    select coalesce(sum(orders), 0)::bigint as unfinished,
        coalesce(sum(orders) filter (where waits_for = 'shipment'), 0)::bigint as unshipped,
        coalesce(sum(orders) filter (where waits_for in ('release', 'refund')), 0)::bigint as compensating,
        coalesce(jsonb_object_agg(waits_for, orders), '{{}}') as waiting
    from waiting),
ended as (
    select coalesce(sum(number) filter (where name in ({cancelled})), 0)::bigint as cancelled,
        coalesce(sum(case when name in ({confirmed}) then number
            when name = 'cancelled_after_confirmation' then -number end), 0)::bigint as confirmed
    from total_view)
select unfinished - unshipped - compensating as placed, confirmed, cancelled, unfinished,
    confirmed - unshipped as confirmed_ended, cancelled - compensating as cancelled_ended, waiting
from summed, ended
""").format(confirmed=CONFIRMED, cancelled=CANCELLED)


def counts(connection: Connection[Any]) -> Counts:
    [row] = select(connection, Counts, COUNTS)
    return row


MINUTES = SQL("""
select minute,
    coalesce(sum(messages) filter (where contract in ({placed})), 0)::bigint as placed,
    coalesce(sum(messages) filter (where contract in ({confirmed})), 0)::bigint as confirmed,
    coalesce(sum(messages) filter (where contract in ({cancelled})), 0)::bigint as cancelled,
    coalesce(sum(messages), 0)::bigint as messages
from generate_series(date_trunc('minute', now(), 'UTC') - make_interval(mins => %(minutes)s - 1),
        date_trunc('minute', now(), 'UTC'), '1 minute') as minute
    left join minute_view using (minute)
group by minute
order by minute
""").format(placed=PLACED, confirmed=CONFIRMED, cancelled=CANCELLED)


def minutes(connection: Connection[Any], last: int = 60) -> list[Minute]:
    """One row for each of the last minutes, also those without a message; oldest first."""
    return select(connection, Minute, MINUTES, {"minutes": last})


RATE = SQL("""
select count(*) / %(seconds)s::float8 as messages,
    count(*) filter (where contract in ({placed})) / %(seconds)s::float8 as orders
from event_log where time > now() - make_interval(secs => %(seconds)s)
""").format(placed=PLACED)


def rate(connection: Connection[Any], seconds: int = RATE_SECONDS) -> Rate:
    [row] = select(connection, Rate, RATE, {"seconds": seconds})
    return row


DURATIONS = SQL("""
select state, count(*) as orders,
    percentile_cont(0.5) within group (order by seconds) as median,
    percentile_cont(0.95) within group (order by seconds) as p95,
    percentile_cont(0.99) within group (order by seconds) as p99
from (
    select state, extract(epoch from ended_at - placed_at)::float8 as seconds
    from saga_view where ended_at is not null order by ended_at desc limit %(sample)s) as recent
where seconds is not null
group by state
order by state
""")


def durations(connection: Connection[Any], sample: int = RECENT) -> list[Duration]:
    """One row for each state in which the orders ended."""
    return select(connection, Duration, DURATIONS, {"sample": sample})


def figures(connection: Connection[Any], last_minutes: int = 60) -> Figures:
    """All figures of the overview."""
    now, per_minute = counts(connection), minutes(connection, max(last_minutes, 60))
    hour = per_minute[-60:]
    return Figures(
        counts=now,
        share_confirmed=share(now.confirmed_ended, now.cancelled_ended),
        share_confirmed_last_hour=share(sum(m.confirmed for m in hour), sum(m.cancelled for m in hour)),
        rate=rate(connection),
        durations=durations(connection),
        oldest_unfinished=next(iter(sagas.unfinished(connection, 1)), None),
        minutes=per_minute[-last_minutes:],
    )


def share(some: int, others: int) -> float | None:
    return some / (some + others) if some + others else None
