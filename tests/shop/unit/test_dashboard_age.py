"""Pages say when what they show of the running system is not of now."""

from datetime import UTC, datetime, timedelta

from projections.dashboard.components.lag import lag
from projections.dashboard.pages.infrastructure import update
from projections.monitor.broker import by_processes
from projections.monitor.snapshot import Snapshot

OLD = "Processes are shown as they were"


def snapshot(seconds: float) -> Snapshot:
    """As old as this."""
    return Snapshot(datetime.now(UTC) - timedelta(seconds=seconds), (), by_processes("", ()))


def test_a_snapshot_of_now_is_shown_without_its_age() -> None:
    assert OLD not in str([*update(snapshot(1)), lag(snapshot(1))])


def test_an_old_snapshot_is_shown_with_its_age_on_both_pages() -> None:
    for shown in (str(update(snapshot(200))), str(lag(snapshot(200)))):
        assert OLD in shown
        assert "3 min 20 s ago" in shown
