"""Readings: the metrics of a process at one moment, and rates between two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, ...]
"""Name of a metric and the values of the labels that tell its samples apart."""

SECONDS = "http_server_request_duration_seconds"
WANTED: Mapping[str, tuple[str, ...]] = {
    "process_start_time_seconds": (),
    "process_resident_memory_bytes": (),
    "process_cpu_seconds_total": (),
    "ordersaga_relay_active": ("database",),
    "ordersaga_relay_lag_seconds": ("database",),
    "ordersaga_relay_lag_rows": ("database",),
    "ordersaga_relay_messages_published_total": ("database",),
    "ordersaga_relay_undeliverable_messages": ("database",),
    "ordersaga_relay_detached_queues": ("database",),
    "ordersaga_messages_received_total": ("group",),
    "ordersaga_messages_deduplicated_total": ("group",),
    "ordersaga_messages_parked_total": ("group",),
    "ordersaga_messages_forked_total": ("group",),
    "ordersaga_parked_messages": ("group", "state"),
    "ordersaga_group_paused": ("group",),
    "ordersaga_circuit_open": ("resource", "operation"),
    "ordersaga_circuit_half_open": ("resource", "operation"),
    "ordersaga_circuit_open_since_timestamp_seconds": ("resource", "operation"),
    "ordersaga_outside_calls_total": ("resource", "operation", "outcome"),
    "ordersaga_outside_calls_in_progress": ("resource", "operation"),
    "ordersaga_outside_waiting_messages": ("resource", "operation"),
    "ordersaga_outside_call_duration_seconds_bucket": ("resource", "operation", "le"),
    "ordersaga_webhooks_subscriptions": ("state",),
    f"{SECONDS}_count": ("status",),
    f"{SECONDS}_bucket": ("le",),
}
"""Metric -> the labels that are kept; samples are summed over all others."""
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
        """The sorted values of the first label of these metrics."""
        return sorted({key[1] for key in self.figures if key[0] in names})

    def is_same_run_as(self, before: "Reading") -> bool:
        """Whether the process was not restarted between the readings."""
        return self.get("process_start_time_seconds") == before.get("process_start_time_seconds")


def read(text: str, at: float, wanted: Mapping[str, tuple[str, ...]] = WANTED) -> Reading:
    """The wanted metrics of a Prometheus text. Raises ValueError when it is not one."""
    figures: dict[Key, float] = {}
    # An API has hundreds of lines, and the parser takes 15 us a line.
    lines = "".join(line + "\n" for line in text.splitlines() if line.startswith(tuple(wanted)))
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            if sample.name in wanted and sample.labels.get("route") not in HEALTH:
                key = (sample.name, *(sample.labels.get(label, "") for label in wanted[sample.name]))
                figures[key] = figures.get(key, 0.0) + sample.value
    return Reading(at, figures)


def increase(before: Reading | None, now: Reading, *key: str) -> float | None:
    """The increase of a counter; None without an earlier reading of the same run."""
    if before is None or now.at <= before.at or not now.is_same_run_as(before):
        return None
    return max(0.0, now.figures.get(key, 0.0) - before.figures.get(key, 0.0))


def per_second(before: Reading | None, now: Reading, *key: str) -> float | None:
    found = increase(before, now, *key)
    return None if found is None or before is None else found / (now.at - before.at)


def p95(before: Reading | None, now: Reading, *key: str) -> float | None:
    """The 95th percentile of a histogram in seconds, computed as `histogram_quantile` does.

    `key` is its name and labels; default: the durations of requests.
    """
    buckets = sorted(bucket_increases(before, now, key or (SECONDS,)))
    if not buckets or not buckets[-1][1]:
        return None
    wanted = 0.95 * buckets[-1][1]
    for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *buckets]):
        if up_to >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (up_to - below)
    return None


def bucket_increases(before: Reading | None, now: Reading, key: Key) -> Iterator[tuple[float, float]]:
    wanted = (f"{key[0]}_bucket", *key[1:])
    for name in now.figures:
        if name[:-1] == wanted:
            found = increase(before, now, *name)
            if found is not None:
                yield float(name[-1]), found
