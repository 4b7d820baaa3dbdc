"""Re-basing: adapts, once, the outbox of a database that was dumped on one server and restored on another.

The rows have transaction ids of the old server, and the cursor has a snapshot of it. Which rows were published is
still exact: `pg_visible_in_snapshot` is a pure function of an id and a snapshot. But among ids of this server the old
ids would hide new rows, be published again when this server's counter reaches them, and be scanned by every poll until
then. So one transaction replaces them: published rows get the id 2, which every snapshot contains; the others get the
id of this transaction, as if announced now; the cursor becomes the snapshot in which only id 2 is visible. The
ordinary windows then publish the rest in the order of positions.

Old rows must not be confused with rows written since, whose ids may look like published ones. The cursor separates
them: a restore loads the cursor after the outbox (pg_dump goes by name), and after the restore only a relay moves it.
So a row whose inserting transaction (`xmin`) is younger than the cursor's is new, and is published. A parallel restore
that loads the cursor first makes old rows look new: they are published twice, never lost.

Every queue gets again what a detached one lacked. So no queue is detached any longer; one that still gives no answer
is detached anew.
"""

from typing import Any

from psycopg import Connection

from ordersaga.database.snapshot_window import EMPTY_SNAPSHOT
from ordersaga.envelope.message import COLUMNS
from ordersaga.runtime.logs import log

LOCK = "select from relay_cursor for update"

# A server made by pg_upgrade or pg_createsubscriber has another identifier and the same transaction ids. There the
# cursor is still the row that its own transaction wrote, and no row has a future id.
STATE = """
select c.system_identifier, s.system_identifier::text, f.exists,
    c.xid::xid = c.xmin and c.xid < pg_snapshot_xmax(pg_current_snapshot()) and not f.exists
from relay_cursor c, pg_control_system() s,
    (select exists (select from outbox where xid >= pg_snapshot_xmax(pg_current_snapshot()))) f
"""

PUBLISHED = """age(outbox.xmin) >= age(c.xmin) and (
            pg_visible_in_snapshot(outbox.xid, c.published)
            or outbox.position <= c.confirmed_position and pg_visible_in_snapshot(outbox.xid, c.target))
        and not exists (select from detached_queues where not pg_visible_in_snapshot(outbox.xid, lacked_from))"""
RESTAMP = f"""
with stamped as (
    update outbox set xid = case when {PUBLISHED} then '2'::xid8 else pg_current_xact_id() end
    from relay_cursor c
    returning outbox.xid = '2'::xid8 as published)
select count(*) filter (where published), count(*) filter (where not published) from stamped
"""  # noqa: S608 - a constant

# Postgres checks a constraint at every update, also in rows from before it: these could not be stamped.
CHECKS = """
select coalesce(string_agg(format('(%s) is false', pg_get_expr(conbin, conrelid)), ' or '), 'false') from pg_constraint
where conrelid = 'outbox'::regclass and contype = 'c' and not convalidated
"""
SET_ASIDE = f"""
with violating as (
    delete from outbox using relay_cursor c where {{checks}}
    returning outbox.*, ({PUBLISHED}) as is_published)
insert into undeliverable (position, {", ".join(COLUMNS)}, kind, reason, attempts)
select position, {", ".join(COLUMNS)}, 'invalid', 'it violates a constraint of the outbox that is younger', 1
from violating where not coalesce(is_published, false) on conflict do nothing
"""  # noqa: S608 - constants

MOVE = """
update relay_cursor set system_identifier = %s, published = %s, target = null, confirmed_position = null,
    xid = pg_current_xact_id(), moved_at = now()
"""
ADOPT = "update relay_cursor set system_identifier = %s, xid = pg_current_xact_id(), moved_at = now()"


def rebase_if_foreign(connection: Connection[Any], database: str) -> None:
    """Adapt an outbox and a cursor that came from another server; the active relay calls this before it publishes."""
    with connection.transaction():
        connection.execute(LOCK)
        row = connection.execute(STATE).fetchone()
        assert row is not None
        its_server, this_server, from_the_future, same_ids = row
        if its_server == this_server and not from_the_future:
            return
        servers = {"database": database, "from_server": its_server, "this_server": this_server}
        if same_ids:
            connection.execute(ADOPT, (this_server,))
            log.warning("the server has a new identifier and the same transactions: the cursor stays valid", **servers)
            return
        [(checks,)] = connection.execute(CHECKS)
        connection.execute(SET_ASIDE.format(checks=checks).encode())
        counts = connection.execute(RESTAMP).fetchone()
        assert counts is not None
        connection.execute(MOVE, (this_server, EMPTY_SNAPSHOT))
        connection.execute("delete from detached_queues")
    log.warning("restored from another server: re-based", published=counts[0], to_publish=counts[1], **servers)
