"""A message that waits for a queue that gives no answer is not lost: reconcile names the queue."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ordersaga.envelope.message import partition_of
from ordersaga.reconcile.findings import PendingFinding
from ordersaga.reconcile.message_row import MessageRow
from ordersaga.reconcile.receivers import Receivers
from ordersaga.reconcile.rules import judge
from ordersaga.reconcile.silent_queues import SilentQueue
from tests.support.counting import Counted, service

NOW = datetime.now(UTC)
KEY = "4711"


def kind(silent: SilentQueue) -> tuple[str, str]:
    row = MessageRow(uuid4(), "outbox", "asking", NOW, Counted.NAME, KEY, bytes(32))
    receivers = Receivers([service], {"asking": [silent]})
    judged = judge([row], receivers, NOW - timedelta(days=1), NOW - timedelta(days=1))
    [pending] = [each.finding for each in judged if isinstance(each, PendingFinding)]
    return pending.kind, pending.detail


def test_a_message_of_a_silent_queue_waits_for_it_and_another_is_missing() -> None:
    mine, other = partition_of(KEY), partition_of(KEY) ^ 1
    found, detail = kind(SilentQueue(f"{service.group}.1", [mine], NOW))
    assert found == "undeliverable"
    assert f"{service.name} waits; queue {service.group}.1 gives no answer since" in detail
    assert kind(SilentQueue(f"{service.group}.0", [other], NOW))[0] == "missing"
    assert kind(SilentQueue("another.1", [mine], NOW))[0] == "missing"
