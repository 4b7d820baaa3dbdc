"""The dashboard tells why a relay publishes nothing, where its lag and where its process is shown."""

from dataclasses import replace
from datetime import UTC, datetime

from projections.dashboard.components.lag import relay_rows
from projections.dashboard.components.processes import activity
from projections.monitor.broker import by_processes
from projections.monitor.snapshot import ProcessStatus, RelayFigures, Snapshot

BLOCKED = "RabbitMQ blocks publishers: low on disk. It takes no message of order_service"
RELAY = RelayFigures("order_service", True, 61.0, 7, 0, 0.0)
PROCESS = ProcessStatus(
    "orders-relay", "relay", "http://orders-relay:8080", "not ready", (BLOCKED,), datetime.now(UTC), relays=(RELAY,)
)


def state(process: ProcessStatus) -> str:
    [(_, behind, state)] = relay_rows(Snapshot(datetime.now(UTC), (process,), by_processes("", ())))
    assert "7 rows" in str(behind)
    return str(state)


def test_the_problem_of_a_relay_stands_beside_its_lag() -> None:
    assert BLOCKED in state(PROCESS)
    assert "Late" in state(replace(PROCESS, state="up", problems=()))
    works = state(replace(PROCESS, state="up", problems=("queue projections.0 gives no answer",)))
    assert "projections.0" in works
    assert "Warning" in works
    assert "Not ready" not in works


def test_a_process_that_is_not_ready_tells_why_in_place_of_its_figures() -> None:
    assert activity(PROCESS) == BLOCKED
    assert "7 rows behind" in activity(replace(PROCESS, state="up", problems=()))
