"""The dashboard tells why a relay publishes nothing, where its lag and where its process is shown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from projections.dashboard.components.lag import group_rows, lag, relay_rows
from projections.dashboard.components.processes import activity
from projections.monitor.broker import by_processes
from projections.monitor.expected import Expected
from projections.monitor.snapshot import ProcessStatus, ReceivingFigures, RelayFigures, Snapshot, Snapshots

BLOCKED = "RabbitMQ blocks publishers: low on disk. It takes no message of order_service"
RELAY = RelayFigures("order_service", True, 61.0, 7, 0, 0.0)
PROCESS = ProcessStatus(
    "orders-relay", "relay", "http://orders-relay:8080", "not ready", (BLOCKED,), datetime.now(UTC), relays=(RELAY,)
)
ORDERS = Expected(("order_service",), ("order_service",))
RECEIVING = ReceivingFigures("order_service", 0, 5.0, 0, 0.0, 0, 0.0, 0, 0, 0, 0)


def shown(process: ProcessStatus) -> tuple[str, str]:
    """The state of its relay in the table, and the whole card."""
    snapshot = Snapshot(datetime.now(UTC), (process,), by_processes("", ()))
    [(_, behind, state)] = relay_rows(snapshot, ORDERS)
    assert "7 rows" in str(behind)
    return str(state), str(lag(Snapshots(snapshot, ()), ORDERS))


def test_the_problem_of_a_relay_stands_below_its_lag() -> None:
    state, card = shown(PROCESS)
    assert "Not ready" in state
    assert BLOCKED in card
    late, card = shown(replace(PROCESS, state="up", problems=()))
    assert "Late" in late
    assert BLOCKED not in card
    works, card = shown(replace(PROCESS, state="up", problems=("queue projections.0 gives no answer",)))
    assert "Warning" in works
    assert "projections.0" in card


def test_a_process_that_is_not_ready_tells_why_in_place_of_its_figures() -> None:
    assert activity(PROCESS) == BLOCKED
    assert "7 rows behind" in activity(replace(PROCESS, state="up", problems=()))


def test_what_does_not_answer_keeps_its_row_with_the_age_of_its_figures() -> None:
    seen_at = datetime.now(UTC) - timedelta(seconds=200)
    relay = replace(PROCESS, state="up", problems=(), answered_at=seen_at)
    worker = replace(relay, name="orders-worker", kind="worker", relays=(), receiving=(RECEIVING,))
    frozen = [replace(each, state="down", relays=(), receiving=(), before=each) for each in (relay, worker)]
    snapshot = Snapshot(datetime.now(UTC), tuple(frozen), by_processes("", ()))
    [(relay_name, behind, relay_state)] = relay_rows(snapshot, ORDERS)
    [(group_name, _, group_state)] = group_rows(snapshot, ORDERS)
    assert (relay_name, behind, group_name) == ("Orders relay", "7 rows", "Orders group")
    assert "No active relay" in str(relay_state)
    assert "No answer" in str(group_state)
    for state in (relay_state, group_state):
        assert "3 min 20 s ago" in str(state)


def test_a_group_whose_worker_never_answered_has_a_row_too() -> None:
    absent = ProcessStatus("orders-worker", "worker", "", "down", ("Nothing listens.",), datetime.now(UTC))
    [(name, _, state)] = group_rows(Snapshot(datetime.now(UTC), (absent,), by_processes("", ())), ORDERS)
    assert (name, "No worker" in str(state)) == ("Orders group", True)
