"""What must be true of one message, judged by all rows there are of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from devstack.processes import READ_SIDE
from devstack.reconcile.findings import Finding, UnderWay
from devstack.reconcile.row import Row
from devstack.reconcile.services import hearers, is_without_event

TAKEN = ("inbox", "event_log")
SKIPPED = "skipped"
"""By a person, who has it on record."""


def judge(rows: Sequence[Row], trimmed: datetime, forgotten: datetime) -> Iterator[Finding | UnderWay]:
    """`rows` have one message id in common. What is older than `trimmed` may have left the outbox behind the relay's
    cursor; the groups must have it all the same, but for what an inbox has `forgotten`."""
    stored = [row for row in rows if row.table == "stored_events"]
    outbox = [row for row in rows if row.table == "outbox"]
    announced = [*stored, *outbox]
    if announced:
        yield from at_the_source(stored, outbox, trimmed)
        yield from at_the_groups(announced[0], rows, forgotten)
    else:
        yield from never_announced(rows)
    for row in rows:
        if row.table == "parked_messages":
            yield UnderWay(row.database, about(row, "parked", row.place, row.note))
        elif row.table == "effects" and row.transactions > 1:
            detail = f"it took effect in {row.transactions} transactions: {row.note}"
            yield about(announced[0] if announced else row, "duplicated", f"{row.database}.stored_events", detail)


def at_the_source(stored: Sequence[Row], outbox: Sequence[Row], trimmed: datetime) -> Iterator[Finding]:
    if not outbox and stored[0].moment > trimmed:
        yield about(stored[0], "missing", f"{stored[0].database}.outbox", "its event is stored, its row is gone")
    if not stored and not is_without_event(outbox[0].contract):
        yield about(outbox[0], "unexpected", outbox[0].place, "no stored event explains it")


def at_the_groups(announced: Row, rows: Sequence[Row], forgotten: datetime) -> Iterator[Finding | UnderWay]:
    """Taken or parked in every group that reacts to it, and as the event that the store has."""
    refused = next((row for row in rows if row.table == "undeliverable"), None)
    present = {row.database for row in rows if row.table in (*TAKEN, "parked_messages")}
    effects = {row.database: row.note for row in rows if row.table == "effects"}
    for group in hearers(announced.contract or ""):
        place = f"{group}.{'event_log' if group == READ_SIDE else 'inbox'}"
        if group in present or (group != READ_SIDE and announced.moment < forgotten):
            continue
        if group in effects:
            detail = f"it took effect ({effects[group]}); delivered again it would do so twice"
            yield about(announced, "missing", place, detail)
        elif refused is not None:
            yield UnderWay(group, about(announced, "undeliverable", refused.place, f"{group} waits; {refused.note}"))
        else:
            detail = f"announced by {announced.database}, neither received nor parked"
            yield UnderWay(group, about(announced, "missing", place, detail))
    for row in rows:
        if row.event_hash is not None and row.event_hash != announced.event_hash:
            both = f"{row.event_hash.hex()}, {announced.place} has {(announced.event_hash or b'').hex()}"
            yield about(announced, "altered", row.place, f"it announces event {both}: a forked history?")
    for group in effects.keys() - present:
        if group not in hearers(announced.contract or ""):
            yield about(
                announced, "unexpected", f"{group}.stored_events", f"{effects[group]}: it was not received here"
            )


def never_announced(rows: Sequence[Row]) -> Iterator[Finding]:
    """The outbox row of a message without an event may be gone, and then nothing is left that explains it."""
    taken = {row.database for row in rows if row.table in TAKEN}
    for row in rows:
        if row.table in (*TAKEN, "undeliverable") and row.note != SKIPPED and not is_without_event(row.contract):
            yield about(row, "unexpected", row.place, "no stored event and no outbox row explains it")
        elif row.table == "effects" and row.database not in taken:
            detail = f"{row.note}: their cause, message {row.id}, was neither announced nor received"
            yield about(row, "unexpected", f"{row.database}.stored_events", detail)


def about(row: Row, kind: str, place: str, detail: str) -> Finding:
    return Finding(kind, place, detail, row.id, row.contract, row.key)
