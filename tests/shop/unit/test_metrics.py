"""docs/METRICS.md lists every metric of the code, with its type and labels, and their names follow its rule."""

import ast
import re
from collections.abc import Iterator

from devstack.state import ROOT

LINE = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]+) \|", re.MULTILINE)
UNITS = {"alarms", "messages", "requests", "rows", "queues", "events", "calls", "findings", "seconds", "spans"}
UNITS |= {"attempts", "deliveries", "subscriptions"}
STATES = {
    "ordersaga_relay_active",
    "ordersaga_circuit_open",
    "ordersaga_circuit_half_open",
    "ordersaga_group_paused",
}
"""Gauges that are 0 or 1 have no unit."""


def metrics_of_the_code() -> Iterator[tuple[str, str, str]]:
    """(name, type, labels) of each metric that is made anywhere in the sources."""
    for folder in ("src", "projections", "order_service", "payment_service", "inventory_service", "relay"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and len(node.args) >= 3:
                    kind = ast.unparse(node.func).rpartition(".")[2]
                    if kind in ("Counter", "Gauge", "Histogram"):
                        name, _, labels = map(ast.literal_eval, node.args[:3])
                        yield name, kind.lower(), ", ".join(labels)


def test_the_page_lists_every_metric_with_its_type_and_labels() -> None:
    listed = LINE.findall((ROOT / "docs" / "METRICS.md").read_text())
    assert sorted(listed) == sorted(metrics_of_the_code())
    assert len(listed) > 20


def test_a_name_has_a_unit_and_a_counter_ends_in_total() -> None:
    for name, kind, _ in metrics_of_the_code():
        assert name.endswith("_total") == (kind == "counter"), name
        assert name in STATES or UNITS & set(name.split("_")), name
