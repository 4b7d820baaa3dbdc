"""What migrations leave behind in the databases of the shop."""

import sys

import pytest

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
