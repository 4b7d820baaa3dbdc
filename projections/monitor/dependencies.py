"""Outside dependencies: what a worker's outside steps ask of each operation of a resource, and how that goes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from projections.monitor.readings import Reading, increase, p95, per_second

CALLS = "ordersaga_outside_calls_total"
DURATION = "ordersaga_outside_call_duration_seconds"
CALLED = ("answered", "failed", "unavailable", "rate_limited")
"""The outcomes of calls that were made."""


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """One operation, as one worker sees it."""

    resource: str
    operation: str
    state: Literal["closed", "open", "half open"]
    since: datetime | None
    """The first failed call, while it is not closed."""
    calls_per_second: float | None
    failed: int | None
    """Calls without a usable answer in the last minute."""
    rate_limited: int | None
    """Calls in the last minute that were answered with 429."""
    in_progress: int
    waiting: int
    """Messages in hand that wait for a call."""
    p95_seconds: float | None
    """Of the last minute; None without any call."""


def operations(before: Reading | None, minute_ago: Reading | None, now: Reading) -> Iterator[OperationFigures]:
    """Those of one process; `before` is the reading that rates are measured from."""
    for labels in sorted({(key[1], key[2]) for key in now.figures if key[0] == "ordersaga_circuit_open"}):
        since = now.get("ordersaga_circuit_open_since_timestamp_seconds", *labels)
        failed = [increase(minute_ago, now, CALLS, *labels, outcome) for outcome in ("failed", "unavailable")]
        limited = increase(minute_ago, now, CALLS, *labels, "rate_limited")
        rates = [per_second(before, now, CALLS, *labels, outcome) for outcome in CALLED]
        yield OperationFigures(
            resource=labels[0],
            operation=labels[1],
            state=state(now, *labels),
            since=datetime.fromtimestamp(since, UTC) if since else None,
            calls_per_second=None if before is None else sum(rate or 0.0 for rate in rates),
            failed=None if minute_ago is None else int(sum(number or 0.0 for number in failed)),
            rate_limited=None if limited is None else int(limited),
            in_progress=now.total("ordersaga_outside_calls_in_progress", *labels),
            waiting=now.total("ordersaga_outside_waiting_messages", *labels),
            p95_seconds=p95(minute_ago, now, DURATION, *labels),
        )


def state(now: Reading, *labels: str) -> Literal["closed", "open", "half open"]:
    if not now.total("ordersaga_circuit_open", *labels):
        return "closed"
    return "half open" if now.total("ordersaga_circuit_half_open", *labels) else "open"
