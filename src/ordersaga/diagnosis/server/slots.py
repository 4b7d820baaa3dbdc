"""Which replication slots keep WAL or dead rows?"""

from psycopg.sql import Literal

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

# Versions before 17 do not know since when a slot is not in use.
SLOTS = """
select slot_name::text, active, coalesce(wal_status, ''), xmin is not null or catalog_xmin is not null,
    case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) else 0 end::bigint,
    (to_jsonb(s) ->> 'inactive_since')::timestamptz
from pg_replication_slots s where restart_lsn is not null or wal_status = 'lost' order by 1
"""


def slots(asked: AskedDatabase) -> Answers:
    """Slots that nobody uses, and those in use that keep more WAL than the limit."""
    for name, is_active, status, keeps_rows, kept, since in asked.connection.execute(SLOTS):
        if is_active and (kept or 0) <= asked.terms.limits.kept_wal:
            continue
        mib = f"{(kept or 0) / 2**20:,.0f} MiB of WAL"
        lost = "has lost WAL that its client needs" if status == "lost" else f"keeps {mib}"
        rows = " and dead rows of every table" if keeps_rows else ""
        use = "its client is slow" if is_active else "nobody uses it"
        yield DiagnosisFinding(
            "warning",
            "replication slot",
            asked.server,
            f"the replication slot {name} {lost}{rows}: {use}",
            f"start its client, or select pg_drop_replication_slot({Literal(name).as_string(asked.connection)})",
            None if is_active else since,
        )
