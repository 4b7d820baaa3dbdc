"""Pages of a list: cut where they end, with a next page only when something is on it."""

import pytest
from flask import Flask

from ordersaga.http.paging import page_of, page_with_link


@pytest.mark.parametrize(("rows", "page", "place"), [([], [], None), ([1, 2], [1, 2], None), ([1, 2, 3], [1, 2], "2")])
def test_a_list_that_ends_with_a_full_page_has_no_next_page(rows: list[int], page: list[int], place: str) -> None:
    assert page_of(rows, 2, str) == (page, place)


def test_the_address_of_the_next_page_asks_for_the_same_behind_the_last_row() -> None:
    with Flask(__name__).test_request_context("/stock?limit=2&colour=dark+blue&after=0"):
        assert page_with_link([1, 2, 3], 2, str) == ([1, 2], "/stock?limit=2&colour=dark+blue&after=2")
        assert page_with_link([1, 2], 2, str) == ([1, 2], None)
