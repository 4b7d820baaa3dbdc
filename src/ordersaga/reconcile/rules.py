"""The rules: what must be true of one message, judged by all rows of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from ordersaga.reconcile.findings import PendingFinding, ReconcileFinding
from ordersaga.reconcile.message_row import MessageRow
from ordersaga.reconcile.receivers import Receivers

RECEIVED = ("inbox", "event_log")
SKIPPED = "skipped"
"""The note of the inbox row of a message that a person skipped."""


def judge(
    rows: Sequence[MessageRow], receivers: Receivers, outbox_purged: datetime, inbox_purged: datetime
) -> Iterator[ReconcileFinding | PendingFinding]:
    """Judge the rows of one message id.

    A message older than `outbox_purged` may have left the outbox, and one older than `inbox_purged` an inbox. Read
    sides keep everything.
    """
    stored = [row for row in rows if row.table == "stored_events"]
    outbox = [row for row in rows if row.table == "outbox"]
    announced = [*stored, *outbox]
    if announced:
        yield from at_the_source(stored, outbox, receivers, outbox_purged)
        yield from at_the_receivers(announced[0], rows, receivers, inbox_purged)
    else:
        yield from never_announced(rows, receivers)
    for row in rows:
        if row.table == "parked_messages":
            yield PendingFinding(row.service, about(row, "parked", row.place, row.note))
        elif row.table == "effects" and row.transactions > 1:
            detail = f"it took effect in {row.transactions} transactions: {row.note}"
            yield about(announced[0] if announced else row, "duplicated", f"{row.service}.stored_events", detail)


def at_the_source(
    stored: Sequence[MessageRow], outbox: Sequence[MessageRow], receivers: Receivers, outbox_purged: datetime
) -> Iterator[ReconcileFinding]:
    """The event and the outbox row of a message explain each other."""
    if not outbox and stored[0].moment > outbox_purged:
        yield about(stored[0], "missing", f"{stored[0].service}.outbox", "its event is stored, its row is gone")
    if not stored and not receivers.is_without_event(outbox[0].contract):
        yield about(outbox[0], "unexpected", outbox[0].place, "no stored event explains it")


def at_the_receivers(
    announced: MessageRow, rows: Sequence[MessageRow], receivers: Receivers, inbox_purged: datetime
) -> Iterator[ReconcileFinding | PendingFinding]:
    """Every receiver has received or parked the message, with the hash of the event that the store has."""
    refused = next((row for row in rows if row.table == "undeliverable"), None)
    present = {row.service for row in rows if row.table in (*RECEIVED, "parked_messages")}
    effects = {row.service: row.note for row in rows if row.table == "effects"}
    expected = receivers.of(announced.contract or "", announced.service)
    for receiver in expected:
        place = f"{receiver}.{receivers.inbox(receiver)}"
        if receiver in present or (not receivers.is_read_side(receiver) and announced.moment < inbox_purged):
            continue
        if not receivers.expects(receiver, announced.moment):
            continue
        if receiver in effects:
            detail = f"it took effect ({effects[receiver]}); delivered again it would do so twice"
            yield about(announced, "missing", place, detail)
        elif refused is not None:
            waits = about(announced, "undeliverable", refused.place, f"{receiver} waits; {refused.note}")
            yield PendingFinding(receiver, waits)
        elif silent := receivers.silent_queue(receiver, announced.service, announced.key):
            waits = about(announced, "undeliverable", f"{announced.service}.outbox", f"{receiver} waits; {silent}")
            yield PendingFinding(receiver, waits)
        else:
            detail = f"announced by {announced.service}, neither received nor parked"
            yield PendingFinding(receiver, about(announced, "missing", place, detail))
    for row in rows:
        if row.event_hash is not None and row.event_hash != announced.event_hash:
            both = f"{row.event_hash.hex()}, {announced.place} has {(announced.event_hash or b'').hex()}"
            yield about(announced, "altered", row.place, f"it announces event {both}: a forked history?")
    for service in effects.keys() - present:
        if service not in expected:
            detail = f"{effects[service]}: it was not received here"
            yield about(announced, "unexpected", f"{service}.stored_events", detail)


def never_announced(rows: Sequence[MessageRow], receivers: Receivers) -> Iterator[ReconcileFinding]:
    """A message that no store and no outbox has must not be anywhere else.

    The exception is a message without an event: nothing explains it once its outbox row is purged.
    """
    received = {row.service for row in rows if row.table in RECEIVED}
    for row in rows:
        is_explained = row.note == SKIPPED or receivers.is_without_event(row.contract)
        if row.table in (*RECEIVED, "undeliverable") and not is_explained:
            yield about(row, "unexpected", row.place, "no stored event and no outbox row explains it")
        elif row.table == "effects" and row.service not in received:
            detail = f"{row.note}: their cause, message {row.id}, was neither announced nor received"
            yield about(row, "unexpected", f"{row.service}.stored_events", detail)


def about(row: MessageRow, kind: str, place: str, detail: str) -> ReconcileFinding:
    return ReconcileFinding(kind, place, detail, row.id, row.contract, row.key)
