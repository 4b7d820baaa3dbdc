"""Whatever a taken-over service or relay says to a running stack: nobody dies, nobody waits, everything is named.

The name of this file lets it be the last on the stack: messages that take effect stay in all books.
"""

from collections.abc import Iterator

import pytest

from tests.shop.support.forgeries import named_cases, random_forgeries
from tests.shop.support.under_forgery import Attack, attack
from tests.shop.support.whole_stack import WholeStack


@pytest.fixture(scope="module")
def attacked(stack: WholeStack) -> Iterator[Attack]:
    """The stack after the inputs that once did harm and some that a seed makes, with customers meanwhile."""
    with attack(stack, [*named_cases(), *random_forgeries(seed=9, number=30)]) as attacked:
        yield attacked


def test_every_forgery_is_refused_or_named_in_every_group_that_it_reaches(attacked: Attack) -> None:
    assert attacked.unnamed() == []


def test_nobody_speaks_in_anothers_name(attacked: Attack) -> None:
    assert attacked.believed() == []


def test_no_process_ends_and_every_process_is_ready(attacked: Attack) -> None:
    assert attacked.ended_or_not_ready() == []


def test_orders_placed_meanwhile_end_as_if_nothing_happened(attacked: Attack) -> None:
    assert attacked.orders_not_confirmed() == []


def test_no_stock_is_sold_twice(attacked: Attack) -> None:
    assert attacked.impossible_stock() == []


def test_what_waits_for_a_person_is_listed_over_http(attacked: Attack) -> None:
    assert attacked.not_listed() == {}


def test_reconcile_names_what_came_in_and_nothing_else(attacked: Attack) -> None:
    assert attacked.wrong_findings() == []


def test_the_audit_of_the_stores_is_clean(attacked: Attack) -> None:
    assert attacked.audit_findings() == []


@pytest.mark.parametrize("page", ["sagas", "events", "figures", "stock", "payments", "unfinished", "search?q=forger"])
def test_every_page_of_the_read_side_answers(attacked: Attack, page: str) -> None:
    assert attacked.answer(page) == 200


@pytest.mark.parametrize("page", ["audit/trail", "audit/export", "audit/export?format=csv", "audit/verification"])
def test_every_page_of_the_audit_answers(attacked: Attack, page: str) -> None:
    assert attacked.answer(page) == 200


def test_once_an_operator_has_skipped_the_forgeries_and_retried_the_rest_nothing_waits(attacked: Attack) -> None:
    assert attacked.left_after_decisions() == {}


def test_a_cancellation_whose_id_was_claimed_is_refunded(attacked: Attack) -> None:
    assert attacked.lost_refunds() == []
