"""What a saga reads stays the same while its tables grow, for sessions too that have planned when they were empty."""

from contextlib import closing

import psycopg

from benchmarks.growing_shop import CONFIRM, LOG, ORDER, RESERVE, SHIP, shop
from benchmarks.grown import COPIED, grow
from tests.support.databases import Databases

FEW, MANY = 20, 20_000
MOST_PAGES = {ORDER: 120, RESERVE: 160, CONFIRM: 120, SHIP: 160, LOG: 800}
"""Of one step; 20,000 events and what belongs to them fill some 2,000."""


def test_a_saga_reads_as_few_pages_among_many_events_as_among_few(database: Databases) -> None:
    """Plans and statistics are kept from when the tables were empty.

    A plan that reads a whole table was right then; of 20,000 events a step read all 1,200 pages.
    """
    with closing(shop(database)) as one:
        for session in one.sessions:
            with psycopg.connect(session.database.owner_url, autocommit=True) as owner:
                for table in COPIED:
                    owner.execute(f"alter table {table} set (autovacuum_enabled = off)".encode())
                owner.execute("vacuum analyze")
        one.sagas(FEW)
        grow(one.orders.database, MANY, "topic like 'product.%'")
        grow(one.inventory.database, MANY, "topic like 'stock.%'")
        one.skip_old_messages()
        costs = one.sagas(FEW)
    pages = {step: round(cost.pages) for step, cost in costs.items()}
    assert {step: number for step, number in pages.items() if number > MOST_PAGES[step]} == {}


def test_the_read_side_plans_each_fold_once(database: Databases) -> None:
    """By default Postgres makes a plan for each of the first five executions, and for every one with a long log."""
    of_views = "select sum(generic_plans), sum(custom_plans) from pg_prepared_statements where statement like '%_view%'"
    with closing(shop(database)) as one:
        one.sagas(FEW)
        [(generic, custom)] = one.read_side.connection.execute(of_views).fetchall()
        assert one.read_side.connection.execute("show plan_cache_mode").fetchall() == [("auto",)]
    assert generic >= FEW
    assert custom == 0
