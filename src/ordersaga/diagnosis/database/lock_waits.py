"""Which session holds a lock that others wait for, and who waits behind whom?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ordersaga.database.locks import refuse_locked_tables
from ordersaga.diagnosis.database.transactions import IDLE
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.named_lock import lock_name
from ordersaga.diagnosis.party import COLUMNS, WIDTH, Party, cancel, parties, party_of, terminate
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.runtime.errors import Unavailable

KIND = "lock"
SHOWN = 5
"""Waiting sessions that a finding names; of the others it gives the number."""
PREPARED = 0
"""What Postgres gives as the process id of a prepared transaction."""
WAITS = f"""
select {COLUMNS}, pg_blocking_pids(a.pid), l.locktype, l.relation::regclass::text,
    l.classid::bigint, l.objid::bigint, l.objsubid, coalesce(l.waitstart, clock_timestamp()), clock_timestamp()
from pg_locks l join pg_stat_activity a using (pid)
where not l.granted and a.datname = current_database() and a.pid <> pg_backend_pid()
"""  # noqa: S608 - constants


class LockWait(NamedTuple):
    """A session that waits for a lock."""

    who: Party
    behind: Sequence[int]
    """Process ids of the sessions that have the lock, or wait for it before this one."""
    lock: str
    since: datetime
    seconds: float

    def __str__(self) -> str:
        pids = " and ".join(f"pid {pid}" if pid else "a prepared transaction" for pid in self.behind)
        name = f" ({self.who.application_name})" if self.who.application_name else ""
        return f"pid {self.who.pid}{name} waits {self.seconds:.0f} s for {self.lock}, behind {pids}"


def lock_waits(asked: AskedDatabase) -> Answers:
    """A finding for each session that waits for nobody and has kept another waiting beyond the limit."""
    waits = {wait.who.pid: wait for wait in all_waits(asked)}
    behind: dict[int, list[LockWait]] = defaultdict(list)
    for wait in waits.values():
        for first in firsts(wait, waits):
            behind[first].append(wait)
    holders = parties(asked.connection, behind)
    for pid, found in behind.items():
        found.sort(key=lambda wait: wait.since)
        if found[0].seconds >= asked.terms.limits.wait:
            yield finding(asked.place, pid, holders.get(pid), found)


def all_waits(asked: AskedDatabase) -> Iterator[LockWait]:
    for row in asked.connection.execute(WAITS):
        pids, kind, table, classid, objid, objsubid, since, now = row[WIDTH:]
        lock = {
            "relation": f"the table {table}",
            "transactionid": "a row that it changed",
            "tuple": "a row that others wait for too",
            "advisory": f"the {lock_name(classid or 0, objid or 0, objsubid or 0)}",
        }.get(kind, f"a lock of the kind {kind}")
        seconds = max(0.0, (now - since).total_seconds())
        yield LockWait(party_of(row), sorted(set(pids)), lock, since, seconds)


def firsts(wait: LockWait, waits: Mapping[int, LockWait]) -> set[int]:
    """The sessions at the head of its line, which wait for nobody; none in a deadlock, which Postgres ends itself."""
    seen: set[int] = set()
    left = list(wait.behind)
    while left:
        pid = left.pop()
        if pid not in seen:
            seen.add(pid)
            left += waits[pid].behind if pid in waits else ()
    return seen - waits.keys()


def finding(place: str, pid: int, holder: Party | None, waits: Sequence[LockWait]) -> DiagnosisFinding:
    more = f", and {len(waits) - SHOWN} more" if len(waits) > SHOWN else ""
    who = f"pid {pid}" if pid != PREPARED else "a prepared transaction"
    return DiagnosisFinding(
        "critical",
        KIND,
        place,
        f"{who} keeps {len(waits)} waiting: {'; '.join(map(str, waits[:SHOWN]))}{more}",
        remedy(pid, holder),
        waits[0].since,
        holder,
    )


def remedy(pid: int, holder: Party | None) -> str:
    if pid == PREPARED:
        return "select gid from pg_prepared_xacts, then rollback prepared or commit prepared"
    if holder is None:
        return "its session has ended: ask again"
    if (holder.state or "").startswith(IDLE):
        return terminate(pid)
    return f"wait for it, or {cancel(pid)}; if that is not enough, {terminate(pid)}"


def locked_table(asked: AskedDatabase, error: Exception) -> Answers:
    """After a lock timeout of a question: the session that has locked a table that the question reads."""
    try:
        refuse_locked_tables(asked.connection, error)
    except Unavailable as named:
        yield DiagnosisFinding(
            "critical",
            KIND,
            asked.place,
            f"{named}: every message waits for it",
            "select pid, state, xact_start, query from pg_stat_activity, then end that process with "
            "pg_terminate_backend(pid)",
        )
