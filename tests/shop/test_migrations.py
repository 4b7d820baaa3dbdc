"""What migrations leave behind in the databases of the shop."""

import runpy
import sys
from typing import Any

import psycopg
import pytest

from devstack.state import ROOT
from tests.library.test_migrations import check_outdated, differences, known_to_the_code, types_of_ours
from tests.support.databases import Databases

__all__ = ["types_of_ours"]

MIGRATE = (sys.executable, "-m", "ordersaga.cli", "--app", "shop", "migrate")


@pytest.mark.filterwarnings("ignore:Computed default on")
@pytest.mark.parametrize("kind", ["order_service", "payment_service", "inventory_service", "projections"])
def test_a_migrated_database_of_the_shop_is_what_the_code_believes_it_to_be(database: Databases, kind: str) -> None:
    assert differences(database(kind), known_to_the_code(kind)) == []


def test_a_read_side_of_an_unreleased_version_is_refused_at_once_with_what_it_lacks(database: Databases) -> None:
    check_outdated(database("projections"), MIGRATE, "alter table event_log drop column actor", "event_log (actor)")


def test_orders_that_were_there_before_refunds_could_fail_keep_their_state(database: Databases) -> None:
    """The statements of both migrations, in a schema of their own."""
    before, after = (migration(name) for name in ("0001_read_side", "0002_refunds"))
    with psycopg.connect(database("projections").owner_url) as connection:
        connection.execute("create schema before; set search_path = before")
        connection.execute(before["SAGA_VIEW"] + before["PAYMENT_VIEW"])
        connection.execute(
            """insert into saga_view (order_id, captured_at, cancelled_at, refunded_at, last_at, messages)
                   values (gen_random_uuid(), now(), now(), now(), now(), 4),
                       (gen_random_uuid(), now(), now(), null, now(), 3);
               insert into payment_view (order_id, captured_at, refunded_at, last_at)
                   values (gen_random_uuid(), now(), now(), now()), (gen_random_uuid(), now(), null, now())"""
        )
        states = "select state, waits_for, waits_since, ended_at from saga_view order by waits_for"
        payments = "select state from payment_view order by state"
        was = [connection.execute(query).fetchall() for query in (states, payments)]
        connection.execute(after["PAYMENT_VIEW"] + after["SAGA_VIEW"])
        assert [connection.execute(query).fetchall() for query in (states, payments)] == was


def migration(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "projections" / "migrations" / "versions" / f"{name}.py"))
