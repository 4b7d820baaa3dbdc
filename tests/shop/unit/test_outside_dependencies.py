"""The infrastructure page tells of each operation whether it answers, since when, how it goes and what waits for it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dash.development.base_component import Component

from projections.dashboard.components.dependencies import dependencies_table
from projections.monitor.dependencies import operations
from projections.monitor.readings import Reading, read
from projections.monitor.snapshot import BrokerStatus, ProcessStatus, Snapshot

SINCE = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE_AGO, NOW = 0.0, 60.0


def metrics(unavailable: int, answered: int, is_open: int, half_open: int = 0) -> str:
    """As a worker serves them."""
    pay, ask = 'operation="pay",resource="bank"', 'operation="ask",resource="bank"'
    slow = f"{unavailable + 0.0}"
    return f"""\
process_start_time_seconds 1000.0
ordersaga_circuit_open{{{pay}}} {is_open}
ordersaga_circuit_open{{{ask}}} 0.0
ordersaga_circuit_half_open{{{pay}}} {half_open}
ordersaga_circuit_open_since_timestamp_seconds{{{pay}}} {SINCE.timestamp() * is_open}
ordersaga_outside_calls_total{{{pay},outcome="unavailable"}} {unavailable}
ordersaga_outside_calls_total{{{pay},outcome="refused"}} {unavailable * 10}
ordersaga_outside_calls_total{{{ask},outcome="answered"}} {answered}
ordersaga_outside_calls_total{{{ask},outcome="rate_limited"}} {answered / 10}
ordersaga_outside_calls_in_progress{{{pay}}} 3.0
ordersaga_outside_waiting_messages{{{pay}}} 7.0
ordersaga_outside_call_duration_seconds_bucket{{le="5.0",{pay}}} 0.0
ordersaga_outside_call_duration_seconds_bucket{{le="10.0",{pay}}} {slow}
ordersaga_outside_call_duration_seconds_bucket{{le="+Inf",{pay}}} {slow}
"""


def texts(component: Any) -> Iterator[str]:
    if isinstance(component, str):
        yield component
    elif isinstance(component, Component):
        yield from texts(getattr(component, "children", None))
    elif isinstance(component, list | tuple):
        for each in component:
            yield from texts(each)


def figures(half_open: int = 0) -> tuple[Any, ...]:
    earlier: Reading = read(metrics(0, 0, 0), MINUTE_AGO)
    return tuple(operations(earlier, earlier, read(metrics(20, 600, 1, half_open), NOW)))


def test_each_operation_has_its_state_rates_and_what_waits() -> None:
    ask, pay = figures()
    assert (ask.resource, ask.operation, ask.state, ask.since) == ("bank", "ask", "closed", None)
    assert (ask.calls_per_second, ask.failed, ask.rate_limited, ask.p95_seconds) == (11.0, 0, 60, None)
    assert (pay.operation, pay.state, pay.since) == ("pay", "open", SINCE)
    # What was refused was not called.
    assert (pay.calls_per_second, pay.failed, pay.in_progress, pay.waiting) == (20 / 60, 20, 3, 7)
    assert pay.p95_seconds == 9.75
    assert figures(half_open=1)[1].state == "half open"


def test_the_page_shows_them_and_says_so_when_nothing_is_called() -> None:
    broker = BrokerStatus("broker", None, 0.0, 0.0)
    worker = ProcessStatus("payments-worker", "worker", "", "up", (), SINCE, operations=figures(), answered_at=SINCE)
    shown = [*texts(dependencies_table(Snapshot(SINCE, (worker,), broker)))]
    assert {"bank", "pay", "Open", "Closed", "20", "7", "60 rate limited", "9.8 s", "payments-worker"} <= set(shown)
    nothing = dependencies_table(Snapshot(SINCE, (), broker))
    assert "No worker calls another system." in set(texts(nothing))
