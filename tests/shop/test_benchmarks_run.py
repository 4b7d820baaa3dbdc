"""The short benchmarks still run after a change of the product, of which they use names and tables.

Figures are not looked at. What takes more than some seconds is left to `make bench`: whole sagas, a backlog, the read
side, rebuilds, growth and traces.
"""

from dataclasses import replace
from math import isfinite

import pytest

from benchmarks.__main__ import STEPS
from benchmarks.place import QUICK, Place
from devstack.servers.private import Servers
from tests.support.databases import Databases

SMALL = replace(QUICK, append_commands=5, relay_rows=500, latency_messages=10, consume_messages=300)
FOUND = {
    "append": {"append_vs_psycopg", "append_vs_library"},
    "relay": {"relay_vs_raw_publish"},
    "latency": {"commit_to_consumer_p50_ms", "commit_to_consumer_p99_ms"},
    "consume": {"consume_per_s"},
    "costs": {"append_statements_per_message", "relay_statements_per_message", "consume_statements_per_message"},
}


@pytest.mark.parametrize("step", FOUND)
def test_a_short_benchmark_runs(servers: Servers, all_databases: Databases, step: str) -> None:
    _, measure = STEPS[step]
    found = {row.name: row.value for row in measure(Place(servers, all_databases, SMALL))}
    assert found.keys() >= FOUND[step]
    assert all(map(isfinite, found.values()))
