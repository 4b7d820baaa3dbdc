"""The alert rules, boards and scrape configuration use the metrics, labels and processes that there are."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from devstack import prometheus
from devstack.processes import PROCESSES
from devstack.state import ROOT
from observability.boards import BOARDS, FOLDER, text
from projections.monitor.targets import read_targets
from tests.shop.support.compose import compose
from tests.shop.unit.test_metrics import metrics_of_the_code

PROMETHEUS = ROOT / "observability" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = [
    rule for group in yaml.safe_load((PROMETHEUS / "rules" / "ordersaga.yml").read_text())["groups"]
    for rule in group["rules"]
]  # fmt: skip
SCRAPED = {"job", "instance", "process"}
"""Labels that Prometheus adds; `process` by our configuration."""
OF_OTHERS = {
    "up": set[str](),
    "process_start_time_seconds": set[str](),
    "process_cpu_seconds_total": set[str](),
    "process_resident_memory_bytes": set[str](),
    "process_open_fds": set[str](),
    "rabbitmq_detailed_queue_messages_ready": {"queue"},
    "rabbitmq_detailed_queue_messages_unacked": {"queue"},
    "rabbitmq_detailed_queue_consumers": {"queue"},
    "rabbitmq_global_messages_received_total": {"protocol"},
    "rabbitmq_global_messages_delivered_total": {"protocol"},
    "rabbitmq_alarms_memory_used_watermark": set[str](),
    "rabbitmq_alarms_free_disk_space_watermark": set[str](),
    "rabbitmq_alarms_file_descriptor_limit": set[str](),
}
"""Metrics of the Python client and of RabbitMQ; a test on the running stack scrapes each of them."""


@cache
def labels_by_sample() -> dict[str, set[str]]:
    """Sample -> its labels; parsing all sources takes 0.7 s."""
    found = dict(OF_OTHERS)
    for name, kind, labels in metrics_of_the_code():
        names = {label for label in labels.split(", ") if label}
        if kind == "histogram":
            found |= {f"{name}_bucket": names | {"le"}, f"{name}_count": names, f"{name}_sum": names}
        else:
            found[name] = names
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every rule and every panel."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for name, board in BOARDS.items():
        for panel in board.panels:
            for expression in panel.queries.values():
                yield f"{name}: {panel.title}", expression.replace("$__rate_interval", "1m")


def parts(node: Any) -> Iterator[Any]:
    """The expression and everything in it."""
    yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        if (part := getattr(node, name, None)) is not None:
            yield from parts(part)
    for argument in getattr(node, "args", ()):
        yield from parts(argument)


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    return [part for part in parts(promql_parser.parse(expression)) if isinstance(part, promql_parser.VectorSelector)]


def groupings(expression: str) -> set[str]:
    """The labels that are named in `by (...)` and `on (...)`."""
    return {label for found in re.findall(r"\b(?:by|on) \(([\w, ]+)\)", expression) for label in found.split(", ")}


@pytest.mark.parametrize(("where", "expression"), [*expressions()])
def test_every_expression_uses_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    known = labels_by_sample()
    used = selectors(expression)
    assert used, where
    for selector in used:
        assert selector.name in known, f"{where} uses {selector.name}"
        for matcher in selector.matchers.matchers:
            assert matcher.name in known[selector.name] | SCRAPED, f"{where} asks for {matcher.name}"
        assert groupings(expression) <= known[selector.name] | SCRAPED, f"{where} groups {selector.name}"


def test_every_metric_that_warns_has_an_alert() -> None:
    """docs/METRICS.md says of some metrics that they raise an alarm."""
    lines = (ROOT / "docs" / "METRICS.md").read_text().splitlines()
    wanted = {line.split("`")[1] for line in lines if "Raise an alarm" in line}
    assert wanted <= {selector.name for rule in RULES for selector in selectors(rule["expr"])}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    names = [rule["alert"] for rule in RULES]
    assert sorted(names) == sorted(page.stem for page in RUNBOOKS.glob("*.md") if page.stem != "README")
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md"
        page = (RUNBOOKS / f"{rule['alert']}.md").read_text()
        assert [line for line in page.splitlines() if line.startswith("#")] == [
            f"# {rule['alert']}", "## Look", "## Mend", "## Over"
        ]  # fmt: skip


@pytest.mark.parametrize("name", BOARDS)
def test_the_file_of_a_board_is_what_the_code_makes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == text(name), "run `make boards`"


def test_no_other_board_lies_beside_them() -> None:
    assert {file.stem for file in FOLDER.glob("*")} == set(BOARDS)


def test_the_configuration_scrapes_every_process_of_the_containers_and_the_broker() -> None:
    monitored = compose({})["services"]["projections-api"]["environment"]
    outside = {process.name for process in PROCESSES if process.outside}
    urls = {found.name: found.url for found in read_targets(monitored["MONITORED"]) if found.name not in outside}
    wanted = prometheus.configuration(urls, monitored["BROKER_METRICS_URL"], "rules/ordersaga.yml")
    assert yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text()) == wanted


@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_finds_no_fault(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    ran = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_panel_of_each_board_is_named_once() -> None:
    for board in BOARDS.values():
        titles = [panel.title for panel in board.panels]
        assert len(titles) == len(set(titles))


def test_rules_are_loaded_from_a_file_that_exists() -> None:
    assert Path(PROMETHEUS / "rules" / "ordersaga.yml") == prometheus.RULES
    assert prometheus.RULES.exists()
