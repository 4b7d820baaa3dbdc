"""The SQL for rows that became visible between two snapshots; its cost is that of these rows, not of the table."""

EMPTY_SNAPSHOT = "3:3:"
"""A snapshot in which no transaction is visible: transaction ids begin at 3."""


# With OR in place of the union, 20 new rows among a million took 284 ms; with the union 0.6 ms.
def unseen(columns: str, table: str, *, seen: str = "true") -> str:
    """Rows written by transactions that began after the snapshot %(since)s, or were open in it."""
    return f"""select {columns} from {table}
    where xid >= pg_snapshot_xmax(%(since)s) and {seen}
    union all
    select {columns} from {table}
    where xid = any(array(select pg_snapshot_xip(%(since)s))) and {seen}"""  # noqa: S608


def listed_in(table: str) -> str:
    """Two CTEs of one row each: `fresh` has the end of the window, `listed` its `target` as text and its `positions`.

    The end is the snapshot %(until)s, or that of the statement when it is null. To sort by `position + 0` keeps the
    planner from reading the whole table in the order of its primary key.
    """
    return f"""
fresh as materialized (select coalesce(%(until)s::pg_snapshot, pg_current_snapshot()) as snapshot),
listed as materialized (
    select snapshot::text as target, array(
        select position from (
            {unseen("position", table, seen="pg_visible_in_snapshot(xid, snapshot)")}) as found
        order by position + 0) as positions
    from fresh)
"""  # noqa: S608


def window_of(table: str) -> str:
    """One row: the end of the window, and the positions in order."""
    return f"with {listed_in(table)} select target, positions from listed"  # noqa: S608
