"""The saga's races again, over real databases, and with consumers and customers that really run at the same time."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from order_service.commands import UnpricedLine
from order_service.order import Order
from tests.shop.support.saga import Saga
from tests.shop.support.saga_crowd import Crowd
from tests.shop.support.saga_ends import check_end
from tests.shop.support.saga_machine import SagaMachine
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.databases import Databases
from tests.support.party import DatabaseParty


@pytest.fixture
def parties(database: Databases) -> Iterator[dict[str, DatabaseParty]]:
    parties = parties_on_postgres(database)
    yield parties
    for party in parties.values():
        party.close()


def test_the_saga_ends_right_over_real_databases(parties: dict[str, DatabaseParty]) -> None:
    shops = count()

    class SagaOnPostgres(SagaMachine):
        def begin(self) -> Saga:
            return open_shop(parties, next(shops))

    few = settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(SagaOnPostgres, settings=few)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_saga_ends_right_with_two_consumers_a_service_and_customers_at_once(
    parties: dict[str, DatabaseParty], seed: int
) -> None:
    """Forty orders compete for stock that is enough for about half of them; every third is cancelled on its way."""
    chance, saga = random.Random(seed), open_shop(parties)
    for sku in ("cup", "pot"):
        saga.receive_stock(sku, 30)
    cards = ("pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined")
    orders = [
        ([UnpricedLine(*chance.choice((("cup", 2), ("pot", 2)))), UnpricedLine("cup", 1)], chance.choice(cards))
        for _ in range(40)
    ]
    crowd = Crowd(saga, chance)
    for wanted, card in orders:
        saga.place(wanted, card)
    with ThreadPoolExecutor(8) as threads:
        crowd.run(threads, cancelled=saga.orders[::3])
    check_end(saga)
    states = [order.state for id_ in saga.orders if (order := saga.parties["order_service"].find(Order, id_))]
    assert states.count("confirmed") > 3
    assert states.count("cancelled") > 12
