"""The dashboard tells why a relay publishes nothing, where its lag and where its process is shown."""

from dataclasses import replace
from datetime import UTC, datetime

from projections.dashboard.components.lag import lag, relay_rows
from projections.dashboard.components.processes import activity
from projections.monitor.broker import by_processes
from projections.monitor.snapshot import ProcessStatus, RelayFigures, Snapshot

BLOCKED = "RabbitMQ blocks publishers: low on disk. It takes no message of order_service"
RELAY = RelayFigures("order_service", True, 61.0, 7, 0, 0.0)
PROCESS = ProcessStatus(
    "orders-relay", "relay", "http://orders-relay:8080", "not ready", (BLOCKED,), datetime.now(UTC), relays=(RELAY,)
)


def shown(process: ProcessStatus) -> tuple[str, str]:
    """The state of its relay in the table, and the whole card."""
    snapshot = Snapshot(datetime.now(UTC), (process,), by_processes("", ()))
    [(_, behind, state)] = relay_rows(snapshot)
    assert "7 rows" in str(behind)
    return str(state), str(lag(snapshot))


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
