"""The short benchmarks still run after a change of the product, of which they use names and tables.

Figures are not looked at. Whole sagas, the read side and rebuilds take too long here: `make bench` runs them.
"""

import pytest

from benchmarks import rows
from benchmarks.__main__ import STEPS
from benchmarks.place import Place, Size
from devstack.servers.private import Servers
from tests.support.databases import Databases

SMALL = Size(
    append_rounds=1,
    append_commands=5,
    relay_rounds=1,
    relay_rows=500,
    backlog_rounds=1,
    backlog_rows=2_000,
    backlog_published=1_000,
    latency_messages=10,
    consume_rounds=1,
    consume_messages=300,
    rebuild_events=None,
    read_side_orders=None,
    saga_seconds=None,
)


@pytest.mark.parametrize("step", ["append", "relay", "latency", "consume", "costs"])
def test_a_short_benchmark_runs(servers: Servers, all_databases: Databases, step: str) -> None:
    _, measure = STEPS[step]
    found = measure(Place(servers, all_databases, SMALL))
    assert found
    assert all(isinstance(row, rows.Row) and row.value >= 0 for row in found)
