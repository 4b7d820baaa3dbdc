"""Each thing that can be wrong makes one alarm that says what it is and leads to where one acts."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from devstack.state import ROOT
from projections.monitor.alarm import Alarm
from projections.monitor.alarms import Observed, derive
from projections.monitor.expected import Expected, of_the_shop
from projections.monitor.limits import AlarmLimits
from projections.monitor.snapshot import (
    BrokerStatus,
    ProcessStatus,
    QueueFigures,
    ReceivingFigures,
    RelayFigures,
    Snapshot,
)

NOW = datetime.now(UTC)
RELAY = RelayFigures("orders", True, 0.1, 0, 0, 0.0)
RECEIVING = ReceivingFigures("orders", 0, 5.0, 0, 0.0, 0, 0.0, 0, 0, 0, 0)
WORKER = ProcessStatus("orders-worker", "worker", "", "up", (), NOW, receiving=(RECEIVING,), answered_at=NOW)
RELAYING = ProcessStatus("orders-relay", "relay", "", "up", (), NOW, relays=(RELAY,), answered_at=NOW)
BROKER = BrokerStatus("broker", None, 0.0, 0.0, queues=(QueueFigures("orders.0", 3, 0, 1),))
VERIFIED = {"findings": 0, "problem": None, "clean": True, "verified_at": str(NOW), "next_by": str(NOW + timedelta(1))}


def frozen(process: ProcessStatus) -> ProcessStatus:
    """It answered once, and does not now."""
    return ProcessStatus(process.name, process.kind, "", "down", ("It does not answer.",), NOW, before=process)


def alarms(worker: ProcessStatus = WORKER, relay: ProcessStatus = RELAYING, **more: Any) -> list[Alarm]:
    snapshot = Snapshot(NOW, (worker, relay), more.pop("broker", BROKER))
    return derive(Observed(snapshot, **more), Expected(("orders",), ("orders",)), AlarmLimits())


def received(**figures: Any) -> ProcessStatus:
    return replace(WORKER, receiving=(replace(RECEIVING, **figures),))


def relayed(**figures: Any) -> ProcessStatus:
    return replace(RELAYING, relays=(replace(RELAY, **figures),))


def queues(ready: int = 0, consumers: int | None = 1) -> BrokerStatus:
    return replace(BROKER, queues=(QueueFigures("orders.0", ready, 0, consumers),))


KINDS: list[tuple[dict[str, Any], list[tuple[str, str, str, str]], str]] = [
    ({}, [], ""),
    (
        {"worker": frozen(WORKER)},
        [
            ("no_worker", "orders", "critical", "infrastructure"),
            ("process_down", "orders-worker", "critical", "infrastructure"),
        ],
        "3 messages wait in its queues",
    ),
    (
        {"worker": replace(WORKER, state="not ready", problems=("Postgres is away",))},
        [("process_not_ready", "orders-worker", "critical", "infrastructure")],
        "orders-worker is not ready. Postgres is away.",
    ),
    (
        {"worker": replace(WORKER, problems=("The disk is slow",))},
        [("process_warning", "orders-worker", "warning", "infrastructure")],
        "The disk is slow.",
    ),
    ({"worker": replace(WORKER, receiving=())}, [("no_worker", "orders", "critical", "infrastructure")], "Start one"),
    ({"broker": queues(consumers=0)}, [("no_worker", "orders", "critical", "infrastructure")], "No worker"),
    ({"relay": relayed(is_active=False)}, [("no_relay", "orders", "critical", "infrastructure")], "Start one"),
    (
        {"worker": replace(WORKER, state="not ready", problems=("stripe is away",), open_circuits=("stripe: create",))},
        [("circuit_open", "orders-worker stripe: create", "warning", "infrastructure")],
        "does not call stripe: create",
    ),
    ({"worker": received(dead_now=2, waiting_now=4)}, [("dead_messages", "orders", "critical", "parked")], "4 wait"),
    ({"worker": received(retrying_now=1)}, [("parked_messages", "orders", "warning", "parked")], "1 message of"),
    (
        {
            "worker": replace(received(is_paused=True), problems=("orders is paused",)),
            "broker": queues(ready=9_000, consumers=0),
        },
        [("group_paused", "orders", "warning", "infrastructure")],
        "its messages wait",
    ),
    ({"relay": relayed(undeliverable=2)}, [("undeliverable_messages", "orders", "critical", "parked")], "2 messages"),
    ({"relay": relayed(detached_queues=1)}, [("detached_queues", "orders", "critical", "infrastructure")], "1 queue"),
    ({"relay": relayed(lag_seconds=61.0)}, [("relay_lag", "orders", "warning", "infrastructure")], "61 s behind"),
    ({"broker": queues(ready=2_000)}, [("group_lag", "orders", "warning", "infrastructure")], "2,000 messages wait"),
    (
        {"broker": replace(BROKER, alarms=("memory",))},
        [("broker_limit", "memory", "critical", "infrastructure")],
        "takes no messages",
    ),
    (
        {"broker": BrokerStatus("processes", "The broker does not answer at x.", None, None)},
        [("broker_away", "", "critical", "infrastructure")],
        "does not answer at x.",
    ),
    (
        {"worker": replace(WORKER, problems=("The webhook 1 is disabled: gone",), disabled_webhooks=1)},
        [("webhook_disabled", "", "warning", "webhooks")],
        "1 webhook is disabled",
    ),
    ({"overdue": 1}, [("orders_overdue", "", "warning", "orders?overdue=yes")], "1 order is overdue"),
    (
        {"lost": [UUID(int=7)]},
        [("orders_lost", "", "warning", f"orders/{UUID(int=7)}")],
        f"The order {UUID(int=7)} is lost: other services act on it,",
    ),
    (
        {"lost": [UUID(int=7), UUID(int=8)]},
        [("orders_lost", "", "warning", f"orders/{UUID(int=7)}")],
        f"2 orders are lost, such as {UUID(int=7)}: other services act on them,",
    ),
    (
        {"verifications": {"orders": {**VERIFIED, "findings": 3}}},
        [("audit_findings", "orders", "critical", "audit")],
        "3 findings",
    ),
    (
        {"verifications": {"orders": {**VERIFIED, "clean": None, "problem": "the log is unreadable"}}},
        [("audit_failed", "orders", "warning", "audit")],
        "the log is unreadable.",
    ),
    (
        {
            "verifications": {
                "orders": {**VERIFIED, "next_by": str(NOW - timedelta(1))},
                "stock": None,
                "paid": VERIFIED,
            }
        },
        [("audit_late", "orders", "warning", "audit")],
        "too old",
    ),
]


@pytest.mark.parametrize(("wrong", "expected", "said"), KINDS)
def test_what_is_wrong_makes_its_alarm_and_no_other(
    wrong: dict[str, Any], expected: list[tuple[str, str, str, str]], said: str
) -> None:
    found = alarms(**wrong)
    assert [(each.name, each.subject, each.severity, each.address) for each in found] == expected
    assert said in "".join(each.text for each in found)


def test_what_stops_most_is_said_first() -> None:
    found = alarms(frozen(WORKER), relayed(undeliverable=1, lag_seconds=99.0), overdue=3)
    names = [each.name for each in found]
    assert names == ["no_worker", "process_down", "undeliverable_messages", "orders_overdue", "relay_lag"]


def test_messages_stay_parked_while_their_worker_does_not_answer() -> None:
    assert "dead_messages" in [each.name for each in alarms(frozen(received(dead_now=1)))]


def test_fast_workers_may_have_long_queues_and_a_shop_that_monitors_nothing_has_no_missing_worker() -> None:
    fast = replace(WORKER, receiving=(replace(RECEIVING, received_per_second=900.0),))
    assert alarms(fast, broker=queues(ready=2_000)) == []
    nothing = Snapshot(NOW, (), BrokerStatus("processes", "BROKER_METRICS_URL is not set.", None, None))
    assert derive(Observed(nothing), of_the_shop(), AlarmLimits()) == []


def test_the_shop_expects_a_worker_for_each_group_and_a_relay_for_each_service() -> None:
    expected = of_the_shop()
    assert {"order_service", "payment_service", "inventory_service"} <= set(expected.databases)
    assert expected.groups == (*expected.databases, "projections")


def test_the_page_of_the_dashboard_lists_every_kind() -> None:
    page = (ROOT / "docs" / "DASHBOARD.md").read_text().partition("\n## Alarms\n")[2].partition("\n## ")[0]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    listed = {(name, row.split(" | ")[1]) for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    assert listed == {(name, severity) for _, expected, _ in KINDS for name, _, severity, _ in expected}
