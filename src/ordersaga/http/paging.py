"""Pages of a list: every list is asked for one row more than it shows, which tells whether there is a next page."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

Row = TypeVar("Row")
Place = TypeVar("Place")


def cut(rows: Sequence[Row], limit: int, place: Callable[[Row], Place]) -> tuple[list[Row], Place | None]:
    """A page, and the place of its last row when `rows` has one more."""
    page = list(rows[:limit])
    return page, place(page[-1]) if len(rows) > limit else None


def linked(rows: Sequence[Row], limit: int, place: Callable[[Row], str]) -> tuple[list[Row], str | None]:
    """A page, and the address of the next one: this request's, with the place of the last row as `after`."""
    page, after = cut(rows, limit, place)
    if after is None:
        return page, None
    return page, f"{request.path}?{urlencode({**request.args.to_dict(), 'after': after})}"
