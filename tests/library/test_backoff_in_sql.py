"""A delay that the database computes is the one that Python computes."""

from datetime import timedelta

import pytest

from ordersaga.relay.undeliverable import BACKOFF
from ordersaga.runtime.backoff import Backoff
from tests.support.databases import Databases


@pytest.mark.parametrize("policy", [Backoff(1, 300, jitter=0), Backoff(0.2, 5, factor=1.3, jitter=0)])
def test_sql_and_python_agree(database: Databases, policy: Backoff) -> None:
    rows = database().rows(
        f"select {policy.as_sql('tries')} from generate_series(1, 12) as tries order by tries"  # noqa: S608 - a constant
    )
    assert rows == [(timedelta(seconds=round(policy.seconds(tries), 6)),) for tries in range(1, 13)]


def test_the_jitter_of_the_undeliverable_takes_away_half_a_delay_at_most(database: Databases) -> None:
    rows = database().rows(
        f"select {BACKOFF.as_sql('4')} from generate_series(1, 500)"  # noqa: S608 - a constant
    )
    drawn = [delay for (delay,) in rows]
    assert timedelta(seconds=4) <= min(drawn) < max(drawn) <= timedelta(seconds=8)
