"""A row of the benchmarks' table: a figure, the reference measured beside it in the same run, and their ratio."""

from collections.abc import Sequence
from math import isinf
from statistics import median
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What `latest.json` and `baseline.json` hold."""

    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float | None
    """value / reference: above 1 is better for a rate, below 1 is better for the rest; None: a count on its own."""
    beside: dict[str, Any] | None = None
    """Of a load: what became of its orders, and what they took; the medians of its rounds."""


REACH = {
    "append_vs_psycopg": ("ratio", ">=", 0.75),
    "append_vs_library": ("ratio", ">=", 3),
    "relay_vs_raw_publish": ("ratio", ">=", 0.85),
    "relay_at_1m_vs_20k": ("ratio", ">=", 0.9),
    "relay_with_foreign_transaction": ("ratio", ">=", 0.9),
    "idle_poll_ms_at_1m_retained": ("value", "<", 2),
    "commit_to_consumer_p50_ms": ("value", "<", 5),
    "commit_to_consumer_p99_ms": ("value", "<", 15),
    "consume_per_s": ("value", ">=", 3000),
    "dead_tuples_per_message": ("value", "<=", 0),
    "sagas_per_s": ("ratio", ">=", 0.45),
    "saga_cpu_ms": ("value", "<=", 5),
    "saga_cpu_at_20_per_s_ms": ("value", "<=", 20),
    "saga_at_20_per_s_p50_ms": ("value", "<", 30),
    "saga_at_50_per_s_p99_ms": ("value", "<", 100),
    "saga_at_80_percent_p99_ms": ("value", "<", 250),
    "growth_saga_cpu_ms_at_100k_events": ("ratio", "<=", 1.2),
    "rebuild_events_per_s": ("value", ">=", 20_000),
    "rebuild_memory_mb_ratio": ("ratio", "<=", 1.25),
    "dashboard_slowest_query_ms_at_1m": ("value", "<", 200),
    "audit_slowest_query_ms_at_1m": ("value", "<", 200),
}
"""What is to be reached on two cores with everything on them, by name."""


def compare(name: str, unit: str, values: Sequence[float], references: Sequence[float]) -> Row:
    """Medians of rounds; the ratio is the median of each round's own, so that a slow minute of the machine cancels.

    Nothing compared with nothing is equal: its ratio is 1.
    """
    ratios = [
        1.0 if value == reference == 0 else value / reference
        for value, reference in zip(values, references, strict=True)
    ]
    return Row(name, shortened(median(values)), unit, shortened(median(references)), shortened(median(ratios)))


def shortened(figure: float) -> float:
    """Four significant digits, whole numbers from a thousand up; infinite stays."""
    if isinf(figure):
        return figure
    return float(f"{figure:.4g}") if abs(figure) < 1000 else round(figure)


def reached(row: Row) -> bool | None:
    """Whether the row is where it should be; None when nothing is asked of it."""
    if row.name not in REACH:
        return None
    of, sign, bound = REACH[row.name]
    figure = float(getattr(row, of))
    return {">=": figure >= bound, "<": figure < bound, "<=": figure <= bound}[sign]
