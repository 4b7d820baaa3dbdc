"""The rebuild of a single view from the live event log."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from ordersaga.readside.read_side import ReadSide
from ordersaga.readside.rebuild import comparison, history, session, shadow, shadow_log
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.progress import RebuildProgress
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.readside.rebuild.swap import drop_replaced, refuse_dependent_views, swap


def rebuild_view(
    read_side: ReadSide,
    url: str,
    view: str,
    report: Callable[[RebuildFinding], None],
    *,
    dry_run: bool = False,
    keep: bool = False,
    progress: RebuildProgress | None = None,
) -> RebuildResult:
    """Fold the whole live log again, report different rows, and replace the view unless it is a dry run.

    `url` is for the owner of the read side's database; `keep` keeps the replaced table in the schema `replaced`.
    Raises RebuildRefused when it cannot be done. The live view is complete at any time.
    """
    result, started = RebuildResult(datetime.now(UTC), view, dry_run), time.monotonic()
    with session.exclusive(url) as connection:
        try:
            replace(read_side, connection, result, view, report, progress or RebuildProgress())
            result.seconds = time.monotonic() - started
            history.add(connection, result)
            if not (dry_run or keep):
                drop_replaced(connection)
        finally:
            if not connection.closed:
                shadow.drop(connection)
    return result


def replace(
    read_side: ReadSide,
    connection: Connection[Any],
    result: RebuildResult,
    view: str,
    report: Callable[[RebuildFinding], None],
    progress: RebuildProgress,
) -> None:
    if not result.dry_run:
        refuse_dependent_views(connection, [view])
    shadow.begin(connection)
    with progress.during("freeze"):
        end = shadow_log.freeze(connection, [view])
        result.messages = shadow_log.count(connection, end)
    with progress.during("fold"):
        shadow.make(connection, [view])
        shadow.add_keys(connection, [view])
        fold_live_log(read_side, connection, view, 0, end)
    with progress.during("index"):
        shadow.finish(connection, [view])
    with progress.during("compare"):
        for finding in comparison.view(connection, view):
            result.findings += 1
            progress.findings += 1
            report(finding)
    if not result.dry_run:
        with progress.during("swap"):
            swap(
                connection,
                [view],
                lambda: None,
                lambda: fold_live_log(read_side, connection, view, end, shadow_log.end(connection)),
            )


def fold_live_log(read_side: ReadSide, connection: Connection[Any], view: str, after: int, end: int) -> None:
    """Fold messages of the live log into the view of the shadow."""
    connection.execute("set search_path = rebuild, public")
    read_side.fold(connection, after + 1, end, [view])
