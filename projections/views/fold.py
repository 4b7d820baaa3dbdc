"""Fold a stretch of the event log into every view: live, in a rebuild, and for a moment in the past alike."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from projections.views import minutes, payments, sagas, stock, totals

VIEWS = {view.table: view for view in (sagas.VIEW, stock.VIEW, payments.VIEW, minutes.VIEW, totals.VIEW)}
"""By table."""


def fold(connection: Connection[Any], first: int, last: int, views: Iterable[str] = VIEWS) -> None:
    """Add the messages from position `first` to `last` to views; the session's search_path finds the tables."""
    stretch = {"first": first, "last": last}
    for view in views:
        connection.execute(VIEWS[view].fold, stretch)
