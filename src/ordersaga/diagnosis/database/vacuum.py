"""Which tables are full of dead rows, and what keeps autovacuum from them?"""

from datetime import timedelta

from psycopg.sql import Identifier

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.party import COLUMNS, party_of, terminate
from ordersaga.diagnosis.questions import Answers, AskedDatabase

TABLES = """
select s.relname::text, n_live_tup, n_dead_tup, greatest(last_vacuum, last_autovacuum),
    coalesce('autovacuum_enabled=false' = any(reloptions) or 'autovacuum_enabled=off' = any(reloptions), false)
from pg_stat_user_tables s join pg_class on pg_class.oid = relid order by n_dead_tup desc
"""
SETTING = "select current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on'"
# The oldest snapshot: rows that died after it must stay.
OLDEST = f"""
select {COLUMNS} from pg_stat_activity a
where a.datname = current_database() and a.backend_xmin is not null and a.pid <> pg_backend_pid()
    and a.xact_start < clock_timestamp() - %s
order by age(a.backend_xmin) desc limit 1
"""  # noqa: S608 - constants


def vacuum(asked: AskedDatabase) -> Answers:
    """Tables whose dead rows are beyond the limit, and those that autovacuum leaves alone."""
    limits = asked.terms.limits
    row = asked.connection.execute(SETTING).fetchone()
    if row and not row[0]:
        yield not_vacuumed(
            asked.place, "autovacuum is off: dead rows stay", "set autovacuum = on and track_counts = on"
        )
    for table, live, dead, since, is_off in asked.connection.execute(TABLES):
        name = Identifier(table).as_string(asked.connection)
        if is_off:
            text = f"autovacuum is off for the table {name}: dead rows stay"
            yield not_vacuumed(asked.place, text, f"alter table {name} reset (autovacuum_enabled)")
        if dead > limits.dead_rows and dead > live / 2:
            yield full(asked, name, live, dead, since)


def not_vacuumed(place: str, what: str, remedy: str) -> DiagnosisFinding:
    return DiagnosisFinding("warning", "vacuum", place, what, remedy)


def full(asked: AskedDatabase, table: str, live: int, dead: int, since: object) -> DiagnosisFinding:
    row = asked.connection.execute(OLDEST, (timedelta(seconds=asked.terms.limits.transaction),)).fetchone()
    oldest = party_of(row) if row else None
    never = "" if since else "; it was never vacuumed"
    return DiagnosisFinding(
        "warning",
        "vacuum",
        asked.place,
        f"{table} has {dead:,} dead rows beside {live:,} live ones{never}"
        + (f", and pid {oldest.pid} keeps them" if oldest else ""),
        terminate(oldest.pid) if oldest else f"vacuum {table}",
        who=oldest,
    )
