"""Which transactions have been open for too long?"""

from datetime import timedelta

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.party import COLUMNS, Party, cancel, party_of, terminate
from ordersaga.diagnosis.questions import Answers, AskedDatabase

KIND = "open transaction"
IDLE = "idle in transaction"
OPEN = f"""
select {COLUMNS} from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and a.xact_start < clock_timestamp() - %s
    and a.backend_type = 'client backend' and a.wait_event_type is distinct from 'Lock'
order by a.xact_start
"""  # noqa: S608 - constants


def open_transactions(asked: AskedDatabase) -> Answers:
    """Those beyond the limit, oldest first, without those that wait for the lock of another."""
    for row in asked.connection.execute(OPEN, (timedelta(seconds=asked.terms.limits.transaction),)):
        yield finding(asked.place, party_of(row))


def finding(place: str, party: Party) -> DiagnosisFinding:
    is_idle = (party.state or "").startswith(IDLE)
    return DiagnosisFinding(
        "warning",
        KIND,
        place,
        f"a transaction is open and {'does nothing' if is_idle else 'still runs its statement'}: what it has locked "
        "waits, and no dead row since its begin can be removed",
        terminate(party.pid) if is_idle else f"wait for it, or {cancel(party.pid)}",
        party.transaction_since,
        party,
    )
