"""Pages of a list: a query fetches one row more than a page has, which shows whether there is a next page."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

Item = TypeVar("Item")
PageCursor = TypeVar("PageCursor")


def page_of(
    rows: Sequence[Item], limit: int, cursor_of: Callable[[Item], PageCursor]
) -> tuple[list[Item], PageCursor | None]:
    """The page, and the cursor of its last row when `rows` has one more."""
    page = list(rows[:limit])
    return page, cursor_of(page[-1]) if len(rows) > limit else None


def page_with_link(rows: Sequence[Item], limit: int, cursor_of: Callable[[Item], str]) -> tuple[list[Item], str | None]:
    """The page, and the URL of the next one: that of this request with the cursor of the last row as `after`."""
    page, after = page_of(rows, limit, cursor_of)
    if after is None:
        return page, None
    return page, f"{request.path}?{urlencode({**request.args.to_dict(), 'after': after})}"
