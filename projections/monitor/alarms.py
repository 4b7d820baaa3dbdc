"""What is wrong now, derived without side effects from the processes, the read side and the audit's verification."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ordersaga.audit.verification import Verification, is_late
from projections.monitor.alarm import Alarm
from projections.monitor.expected import Expected
from projections.monitor.limits import AlarmLimits
from projections.monitor.message_alarms import broker_alarms, parked_alarms, queue_alarms, relay_alarms, webhook_alarms
from projections.monitor.process_alarms import missing_alarms, pause_alarms, process_alarms
from projections.monitor.snapshot import Snapshot

RANKS = (
    "no_worker",
    "no_relay",
    "broker_away",
    "broker_limit",
    "process_down",
    "process_not_ready",
    "audit_findings",
)
"""What to say first, of alarms of one severity: what stops most."""


@dataclass(frozen=True)
class Observed:
    """All that alarms are derived from."""

    snapshot: Snapshot
    overdue: int = 0
    """Overdue orders."""
    lost: Sequence[UUID] = ()
    """Orders of which nobody knows that they were placed, without a note."""
    verifications: Mapping[str, Verification | None] = field(default_factory=dict)


def derive(seen: Observed, expected: Expected, limits: AlarmLimits) -> list[Alarm]:
    """All alarms, the worst first."""
    found = [
        *missing_alarms(seen.snapshot, expected),
        *pause_alarms(seen.snapshot),
        *process_alarms(seen.snapshot),
        *broker_alarms(seen.snapshot.broker),
        *parked_alarms(seen.snapshot),
        *relay_alarms(seen.snapshot, limits),
        *queue_alarms(seen.snapshot, limits),
        *webhook_alarms(seen.snapshot),
        *order_alarms(seen.overdue),
        *lost_alarms(seen.lost),
        *audit_alarms(seen.verifications),
    ]
    return sorted(found, key=rank)


def rank(alarm: Alarm) -> tuple[bool, int, str, str]:
    place = RANKS.index(alarm.name) if alarm.name in RANKS else len(RANKS)
    return alarm.severity != "critical", place, *alarm.key


def order_alarms(overdue: int) -> Iterator[Alarm]:
    """Of orders that are neither confirmed nor cancelled in time."""
    if overdue:
        what = "1 order is overdue" if overdue == 1 else f"{overdue:,} orders are overdue"
        text = f"{what}: neither confirmed nor cancelled in time. Open one to see what it waits for."
        yield Alarm("orders_overdue", "", "warning", text, "orders?overdue=yes")


def lost_alarms(lost: Sequence[UUID]) -> Iterator[Alarm]:
    """Of orders that others act on although the service of orders does not know them."""
    if lost:
        one = f"The order {lost[0]} is lost", "it"
        what, them = one if len(lost) == 1 else (f"{len(lost):,} orders are lost, such as {lost[0]}", "them")
        text = (
            f"{what}: other services act on {them}, and nothing says who placed {them}. Follow the runbook OrdersLost, "
            "then add a note to each that says what was done."
        )
        yield Alarm("orders_lost", "", "warning", text, f"orders/{lost[0]}")


def audit_alarms(stores: Mapping[str, Verification | None]) -> Iterator[Alarm]:
    """Of the sealer's last verification of each store; a store before its first one is silent."""
    for store, found in stores.items():
        if not found:
            continue
        if found["findings"]:
            text = f"The history of {store} was changed: the verification has {found['findings']} findings. Read them."
            yield Alarm("audit_findings", store, "critical", text, "audit", time_of(found))
        elif found["problem"]:
            text = f"The verification of the history of {store} failed: {str(found['problem']).rstrip('.')}."
            yield Alarm("audit_failed", store, "warning", text, "audit")
        elif is_late(found):
            text = f"The last verification of the history of {store} is too old. Look at the audit sealer."
            yield Alarm("audit_late", store, "warning", text, "audit")


def time_of(found: Verification) -> datetime | None:
    at = found["verified_at"]
    return datetime.fromisoformat(at) if isinstance(at, str) else None
