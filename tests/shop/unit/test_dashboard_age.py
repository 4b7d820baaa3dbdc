"""Pages say when a newer state of the running system is overdue, and never because nobody looked for a while."""

from datetime import UTC, datetime, timedelta

from projections.dashboard.components.lag import lag
from projections.dashboard.pages.infrastructure import update
from projections.monitor.broker import by_processes
from projections.monitor.expected import of_the_shop
from projections.monitor.snapshot import Snapshot, Snapshots

OLD = "Processes are shown as they were"


def shown(seconds: float, *, is_late: bool) -> tuple[str, str]:
    """Both pages with a snapshot as old as this."""
    snapshot = Snapshot(datetime.now(UTC) - timedelta(seconds=seconds), (), by_processes("", ()))
    snapshots = Snapshots(snapshot, (snapshot,), is_late)
    return str(update(snapshots)), str(lag(snapshots, of_the_shop()))


def test_a_snapshot_of_now_or_of_before_a_pause_is_shown_without_its_age() -> None:
    for page in (*shown(1, is_late=False), *shown(200, is_late=False)):
        assert OLD not in page


def test_a_snapshot_that_is_overdue_is_shown_with_its_age_on_both_pages() -> None:
    for page in shown(200, is_late=True):
        assert OLD in page
        assert "3 min 20 s ago" in page
