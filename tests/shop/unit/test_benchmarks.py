"""What the benchmarks write, without running them."""

import json

import pytest

from benchmarks.__main__ import BASELINE, from_json, table, to_json
from benchmarks.rows import REACH, Row, compare, reached

NAMES = [
    *("append_vs_psycopg", "append_vs_library", "relay_vs_raw_publish", "relay_at_1m_vs_20k"),
    *("relay_with_foreign_transaction", "idle_poll_ms_at_1m_retained", "commit_to_consumer_p50_ms"),
    *("commit_to_consumer_p99_ms", "consume_per_s", "dead_tuples_per_message"),
    *("sagas_per_s", "saga_cpu_ms", "saga_cpu_at_20_per_s_ms", "saga_at_20_per_s_p50_ms"),
    *("saga_at_50_per_s_p99_ms", "saga_at_80_percent_p99_ms", "growth_saga_cpu_ms_at_100k_events"),
    *("rebuild_events_per_s", "rebuild_memory_mb_ratio"),
    *("dashboard_slowest_query_ms_at_1m", "audit_slowest_query_ms_at_1m"),
]
COSTS = [
    f"{step}_{what}_per_message"
    for step in ("append", "relay", "consume")
    for what in ("statements", "round_trips", "wal_bytes")
]


NEW = {"saga_cpu_at_20_per_s_ms", "saga_at_80_percent_p99_ms", "growth_saga_cpu_ms_at_100k_events"}
"""Not in a baseline of before rows of a load had `beside`."""


def expected() -> list[str]:
    has_beside = any(row.beside for row in from_json(BASELINE.read_text()).values())
    return [name for name in NAMES if has_beside or name not in NEW]


def test_the_committed_baseline_has_every_row_and_nothing_but_its_fields() -> None:
    rows = json.loads(BASELINE.read_text())["rows"]
    assert {row["name"] for row in rows} >= {*expected(), *COSTS}
    fields = ["name", "value", "unit", "reference", "ratio"]
    assert all(list(row) in (fields, [*fields, "beside"]) for row in rows)


def test_every_figure_to_reach_has_its_reference_of_the_same_run() -> None:
    assert list(REACH) == NAMES
    baseline = from_json(BASELINE.read_text())
    for name in expected():
        assert baseline[name].reference is not None
        assert baseline[name].ratio is not None


def test_rows_come_back_from_json_as_they_were() -> None:
    rows = [
        Row("consume_per_s", 3100, "messages/s", 9000, 0.34),
        Row("relay_wal_bytes_per_message", 3, "bytes", None, None),
        Row("saga_at_20_per_s_p99_ms", 90, "ms", 8, 11.25, {"ended": 200, "unresolved_at_the_end": 2}),
    ]
    assert list(from_json(to_json(rows)).values()) == rows


def test_the_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    row = compare("relay_vs_raw_publish", "messages/s", [90.0, 10.0, 95.0], [100.0, 11.0, 200.0])
    assert row == Row("relay_vs_raw_publish", 90, "messages/s", 100, 0.9)


def test_no_dead_tuples_beside_one_is_a_ratio_of_nothing() -> None:
    assert compare("dead_tuples_per_message", "tuples", [0.0], [1.0]).ratio == 0


@pytest.mark.parametrize(
    ("name", "value", "ratio", "expected"),
    [
        ("relay_vs_raw_publish", 20_000, 0.85, True),
        ("relay_vs_raw_publish", 20_000, 0.84, False),
        ("idle_poll_ms_at_1m_retained", 2, 0.5, False),
        ("consume_per_s", 3000, 0.1, True),
        ("dead_tuples_per_message", 0, 0, True),
        ("append_wal_bytes_per_message", 1800, 0.9, None),
    ],
)
def test_a_figure_is_held_to_what_is_to_be_reached(
    name: str, value: float, ratio: float, expected: bool | None
) -> None:
    assert reached(Row(name, value, "", 1, ratio)) is expected


def test_the_table_shows_the_baseline_beside_the_figure() -> None:
    row = Row("consume_per_s", 3100, "messages/s", 9000, 0.34)
    made = table([row], {"consume_per_s": row._replace(ratio=0.5)})
    assert [next(iter(column.cells)) for column in made.columns] == [
        *("consume_per_s", "3,100", "messages/s", "9,000", "0.34", "0.5", "value >= 3000: reached")
    ]
