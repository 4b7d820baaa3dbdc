"""A diagnosis as text for a terminal, as data for a script, and as an exit code."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ordersaga.cli.text import ago, printable
from ordersaga.diagnosis.diagnose import Diagnosis
from ordersaga.diagnosis.findings import PLACES, DiagnosisFinding, Unseen
from ordersaga.diagnosis.named_lock import NamedLock
from ordersaga.diagnosis.party import Party

INDENT = " " * 10


def exit_code(found: Diagnosis) -> int:
    return 1 if found.findings else 2 if found.unseen else 0


def as_data(found: Diagnosis) -> dict[str, Any]:
    """`clean` says that everything could be seen, and nothing was found."""
    return {
        "clean": exit_code(found) == 0,
        "findings": list(map(finding_data, found.findings)),
        "unseen": [asdict(each) for each in found.unseen],
        "locks": [{**lock._asdict(), "who": party_data(lock.who)} for lock in found.locks],
    }


def finding_data(finding: DiagnosisFinding) -> dict[str, Any]:
    data = asdict(finding)
    return {"places": data.pop("place").split(PLACES), **data, "who": party_data(finding.who)}


def party_data(party: Party | None) -> dict[str, Any] | None:
    return party._asdict() if party else None


def lines(found: Diagnosis, with_locks: bool) -> Iterator[str]:
    """The findings, what was not seen, and a verdict in the last line."""
    for text in paragraphs(found, with_locks):
        yield from map(printable, text)
    yield verdict(found)


def paragraphs(found: Diagnosis, with_locks: bool) -> Iterator[list[str]]:
    yield from map(finding_lines, found.findings)
    yield from map(unseen_lines, found.unseen)
    if with_locks:
        yield from map(lock_lines, found.locks)


def finding_lines(finding: DiagnosisFinding) -> list[str]:
    since = f" ({since_text(finding.since)})" if finding.since else ""
    who = [f"{INDENT}who: {party_text(finding.who)}"] if finding.who else []
    return [f"{finding.severity:10}{finding.place}: {finding.what}{since}", *who, f"{INDENT}do:  {finding.remedy}"]


def unseen_lines(unseen: Unseen) -> list[str]:
    return [f"{'not seen':10}{unseen.place}: {unseen.what}", f"{INDENT}do:  {unseen.remedy}"]


def lock_lines(lock: NamedLock) -> list[str]:
    verb = ("shares" if lock.is_shared else "has") if lock.is_held else "waits for"
    who = f"{lock.who.application_name or 'a session without a name'}, pid {lock.who.pid},"
    return [f"{'lock':10}{lock.place}: {who} {verb} the {lock.name}"]


def party_text(party: Party) -> str:
    """The session, its transaction and its statement, as far as they may be seen."""
    name = f" {party.application_name}" if party.application_name else ""
    known = [
        f"pid {party.pid}{name}",
        f"from {party.client}" if party.client else "",
        f"role {party.role}, database {party.database}",
        party.state or "",
        f"transaction {since_text(party.transaction_since)}" if party.transaction_since else "",
    ]
    text = ", ".join(filter(None, known))
    return f"{text}: {party.statement}" if party.statement else text


def since_text(moment: datetime) -> str:
    return f"since {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {ago(moment)}"


def verdict(found: Diagnosis) -> str:
    number = len(found.findings)
    what = f"Findings: {number}" if number else "Nothing found"
    return f"{what}. Not seen: {len(found.unseen)}" if found.unseen else what
