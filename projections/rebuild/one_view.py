"""A single view made again from the live event log."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from projections.rebuild import comparison, log, session, shadow
from projections.rebuild.findings import Finding
from projections.rebuild.history import remember
from projections.rebuild.progress import Progress
from projections.rebuild.result import Result
from projections.rebuild.swap import clear_away, put_in_place, refuse_followers
from projections.views.fold import fold


def rebuild_view(
    url: str,
    view: str,
    report: Callable[[Finding], None],
    *,
    dry_run: bool = False,
    keep: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Fold the whole live log again, name what differs, and unless it is a dry run put it in place.

    Raises Refused when it cannot be done. Whatever happens, the live view is whole.
    """
    result, started = Result(datetime.now(UTC), view, dry_run), time.monotonic()
    with session.only_one(url) as connection:
        try:
            replace(connection, result, view, report, progress or Progress())
            result.seconds = time.monotonic() - started
            remember(connection, result)
            if not (dry_run or keep):
                clear_away(connection)
        finally:
            if not connection.closed:
                shadow.drop(connection)
    return result


def replace(
    connection: Connection[Any],
    result: Result,
    view: str,
    report: Callable[[Finding], None],
    progress: Progress,
) -> None:
    if not result.dry_run:
        refuse_followers(connection, [view])
    shadow.begin(connection)
    with progress.during("freeze"):
        end = log.freeze(connection, [view])
        result.messages = log.count(connection, end)
    with progress.during("fold"):
        shadow.make(connection, [view])
        shadow.add_keys(connection, [view])
        fold_live(connection, view, 0, end)
    with progress.during("index"):
        shadow.finish(connection, [view])
    with progress.during("compare"):
        for finding in comparison.view(connection, view):
            result.findings += 1
            progress.findings += 1
            report(finding)
    if not result.dry_run:
        with progress.during("swap"):
            put_in_place(
                connection, [view], lambda: None, lambda: fold_live(connection, view, end, log.end(connection))
            )


def fold_live(connection: Connection[Any], view: str, after: int, end: int) -> None:
    """The view is found in the shadow, the log behind it among the live tables."""
    connection.execute("set search_path = rebuild, public")
    fold(connection, after + 1, end, [view])
