"""A process's metrics at one moment, and what has become of them since an earlier one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, ...]
"""Name of a metric and the values of the labels by which it is kept apart."""

SECONDS = "http_server_request_duration_seconds"
WANTED: Mapping[str, tuple[str, ...]] = {
    "process_start_time_seconds": (),
    "process_resident_memory_bytes": (),
    "process_cpu_seconds_total": (),
    "ordersaga_relay_active": ("database",),
    "ordersaga_relay_lag_seconds": ("database",),
    "ordersaga_relay_lag_rows": ("database",),
    "ordersaga_relay_messages_published_total": ("database",),
    "ordersaga_messages_received_total": ("group",),
    "ordersaga_messages_deduplicated_total": ("group",),
    "ordersaga_messages_parked_total": ("group",),
    "ordersaga_messages_forked_total": ("group",),
    "ordersaga_parked_messages": ("group", "state"),
    f"{SECONDS}_count": ("status",),
    f"{SECONDS}_bucket": ("le",),
}
"""Metric -> the labels that matter; it is added up over all others."""
HEALTH = ("/healthz", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Reading:
    """Figures by key, at a moment of the monotonic clock."""

    at: float
    figures: Mapping[Key, float]

    def get(self, *key: str) -> float | None:
        return self.figures.get(key)

    def total(self, *key: str) -> int:
        return int(self.figures.get(key, 0))

    def labels(self, *names: str) -> list[str]:
        """Every first label that one of these metrics has, in order."""
        return sorted({key[1] for key in self.figures if key[0] in names})

    def is_of_the_run_of(self, before: "Reading") -> bool:
        return self.get("process_start_time_seconds") == before.get("process_start_time_seconds")


def read(text: str, at: float, wanted: Mapping[str, tuple[str, ...]] = WANTED) -> Reading:
    """Raises ValueError when the text is no metrics."""
    figures: dict[Key, float] = {}
    # An API has hundreds of lines, and the parser takes 15 us for each.
    lines = "".join(line + "\n" for line in text.splitlines() if line.startswith(tuple(wanted)))
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            if sample.name in wanted and sample.labels.get("route") not in HEALTH:
                key = (sample.name, *(sample.labels.get(label, "") for label in wanted[sample.name]))
                figures[key] = figures.get(key, 0.0) + sample.value
    return Reading(at, figures)


def increase(before: Reading | None, now: Reading, *key: str) -> float | None:
    """Of a counter; None when there is nothing to compare with."""
    if before is None or now.at <= before.at or not now.is_of_the_run_of(before):
        return None
    return max(0.0, now.figures.get(key, 0.0) - before.figures.get(key, 0.0))


def per_second(before: Reading | None, now: Reading, *key: str) -> float | None:
    found = increase(before, now, *key)
    return None if found is None or before is None else found / (now.at - before.at)


def p95(before: Reading | None, now: Reading) -> float | None:
    """Seconds in which 95 of 100 requests between two readings were answered, as `histogram_quantile` tells it."""
    buckets = sorted(bucket_increases(before, now))
    if not buckets or not buckets[-1][1]:
        return None
    wanted = 0.95 * buckets[-1][1]
    for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *buckets]):
        if up_to >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (up_to - below)
    return None


def bucket_increases(before: Reading | None, now: Reading) -> Iterator[tuple[float, float]]:
    for name, *labels in now.figures:
        if name == f"{SECONDS}_bucket":
            found = increase(before, now, name, *labels)
            if found is not None:
                yield float(labels[0]), found
