"""How long each order took, from the read side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

QUERY = """
select
    order_id::text,
    extract(epoch from placed_at)::float - %(began)s,
    extract(epoch from least(confirmed_at, cancelled_at) - placed_at)::float,
    case when confirmed_at <= coalesce(cancelled_at, 'infinity') then 'confirmed' else coalesce(reason, 'cancelled') end
from saga_view
where placed_at is not null and least(confirmed_at, cancelled_at) is not null
order by placed_at
"""


@dataclass(frozen=True)
class Ended:
    """An order; `at` is when it was placed, in seconds since the start of the load."""

    order_id: str
    at: float
    seconds: float
    """From placed to its first end."""
    end: str
    """`confirmed`, or the reason why it was cancelled."""


def ended_orders(urls: Mapping[str, str], began_at: float) -> list[Ended]:
    """`urls` has the owner's URL of each database, `began_at` is Unix time."""
    with psycopg.connect(urls["projections"], connect_timeout=5) as connection:
        return [Ended(*row) for row in connection.execute(QUERY, {"began": began_at})]


def percentile(seconds: Sequence[float], percent: float) -> float:
    """The smallest of them that so many percent do not exceed; 0 of none."""
    in_order = sorted(seconds)
    return in_order[min(len(in_order) - 1, int(len(in_order) * percent / 100))] if in_order else 0.0
