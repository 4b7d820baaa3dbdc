"""Runs of retries: a failure group, or what a filter finds, is retried a few messages first, then at a rate."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.database.locks import RETRY_RUNS, UNTIL_COMMIT
from ordersaga.parked import group_pause, operator_actions
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import ActionRefused, Operator
from ordersaga.parked.refused_by import REFUSED_BY, RefusedBy, statement
from ordersaga.parked.table import clean

MIN_RATE, MAX_RATE = 0.01, 1000.0
"""Messages a second."""
MAX_FIRST = 1000

RunState = Literal["running", "paused", "stopped", "done"]


class UnknownRun(LookupError):
    """There is no run of retries with this number."""


class RunsAlready(Exception):
    """Another run retries these messages; the message names it."""


@dataclass(frozen=True)
class RetryRun:
    """A run of retries, and how far it is."""

    run: int
    failure: str | None
    """The failure group; None: not of one alone."""
    refused_by: RefusedBy | None
    state_wanted: str | None
    """Only messages in this state."""
    key: str | None
    first: int
    """So many are retried at once, before any other."""
    rate: float
    """Messages a second, after the first ones."""
    max_failed: float
    """It stops by itself when a greater share of the first ones fails again, from 0 to 1."""
    actor: str
    reason: str
    state: RunState
    """`paused`: as long as the consumer group is."""
    started_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    """Who stopped it; None: nobody, it ended by itself."""
    end_reason: str
    """Why it was stopped, or stopped by itself; empty when it is done."""
    total: int
    """Messages that it found when it was started."""
    retried: int
    succeeded: int
    failed: int
    """Failed again."""
    skipped: int
    """Skipped by a person, after the run had retried them."""
    under_way: int
    """Retried, and neither succeeded nor failed since."""
    remaining: int
    """Not retried yet; 0 once it is done, though some may have gone before their turn."""
    last_reaction: int
    last_broker: int
    next_reaction: int
    next_broker: int


SELECT = f"""
select run, failure, refused_by, state_wanted, key, first, rate, max_failed, actor, reason,
    case when state = 'running' and {group_pause.IS_PAUSED} then 'paused' else state end as state, started_at, ended_at,
    ended_by, end_reason, total, retried, succeeded, failed, skipped,
    retried - succeeded - failed - skipped as under_way,
    case when state = 'done' then 0 else greatest(total - retried, 0) end as remaining,
    last_reaction, last_broker, next_reaction, next_broker
from retry_runs
"""  # noqa: S608 - a constant
PAGE = f"{SELECT} where (%(before)s::bigint is null or run < %(before)s) order by run desc limit %(limit)s"
ONE = f"{SELECT} where run = %s"
RUNNING = f"{SELECT} where state = 'running' order by run"


def page(connection: Connection[Any], limit: int = 100, before: int | None = None) -> list[RetryRun]:
    """Runs of retries, the newest first."""
    with connection.cursor(row_factory=class_row(RetryRun)) as cursor:
        return cursor.execute(PAGE, {"limit": limit, "before": before}).fetchall()


def running(connection: Connection[Any]) -> list[RetryRun]:
    """The runs that have not ended, the oldest first."""
    with connection.cursor(row_factory=class_row(RetryRun)) as cursor:
        return cursor.execute(RUNNING).fetchall()


def find(connection: Connection[Any], run: int) -> RetryRun:
    """Raises UnknownRun."""
    with connection.cursor(row_factory=class_row(RetryRun)) as cursor:
        found = cursor.execute(ONE, (run,)).fetchone()
    if found is None:
        raise UnknownRun(f"there is no run {run}")
    return found


COUNT = """
select count(*)::int, coalesce(max(position), 0) from {rows}
where (%(failure)s::text is null or {failure} = %(failure)s) and (%(state)s::text is null or state = %(state)s)
    and (%(key)s::text is null or key = %(key)s) and state <> 'waiting' and held is not true
"""
OVERLAPPING = "select min(run) from retry_runs where state = 'running' and (failure is null or %s::text is null)"
OF_FAILURE = "select run from retry_runs where state = 'running' and failure = %s"
START = """
insert into retry_runs (failure, refused_by, state_wanted, key, first, rate, max_failed, actor, reason, total,
    last_reaction, last_broker)
values (%(failure)s, %(refused_by)s, %(state)s, %(key)s, %(first)s, %(rate)s, %(max_failed)s, %(actor)s, %(reason)s,
    %(total)s, %(reaction)s, %(broker)s)
returning run
"""


def start(
    connection: Connection[Any],
    wanted: ParkedFilter,
    operator: Operator,
    first: int = 5,
    rate: float = 10.0,
    max_failed: float = 0.5,
) -> RetryRun:
    """Start a run over the messages that have failed until now; a worker of the service advances it.

    It leaves out messages that a person has put on hold one by one; a failure group on hold is retried all the same.

    Args:
        first: so many are retried at once; only when enough of them have succeeded are others.
        rate: messages a second, after the first ones.
        max_failed: the run stops when a greater share of the first ones fails again, from 0 to 1.

    Raises:
        ActionRefused: there is nothing to retry, or no worker could keep to the rate.
        RunsAlready: another run retries these messages.
    """
    if not MIN_RATE <= rate <= MAX_RATE:  # so that NaN is refused too
        raise ActionRefused(f"a run retries {MIN_RATE:g} to {MAX_RATE:g} messages a second, not {rate:g}")
    limits = {"first": first, "rate": rate, "max_failed": max_failed}
    with connection.transaction():
        connection.execute(UNTIL_COMMIT, RETRY_RUNS)
        require_no_other(connection, wanted.failure)
        found = {by: count(connection, wanted, by) for by in REFUSED_BY if wanted.refused_by in (None, by)}
        total = sum(number for number, _ in found.values())
        if not total:
            raise ActionRefused("there is nothing to retry: no message fits that has failed and that nobody holds")
        last: dict[str, int] = {by: found.get(by, (0, 0))[1] for by in REFUSED_BY}
        row = connection.execute(
            START, {**vars(wanted), **limits, **operator.storable()._asdict(), **last, "total": total}
        ).fetchone()
        assert row
        operator_actions.record(connection, "start run", operator, wanted.failure, row[0], {**limits, "total": total})
        return find(connection, row[0])


def require_no_other(connection: Connection[Any], failure: str | None) -> None:
    """Raises RunsAlready."""
    for query in (OF_FAILURE, OVERLAPPING):
        row = connection.execute(query, (failure,)).fetchone()
        if row and row[0] is not None:
            raise RunsAlready(f"run {row[0]} retries these messages already; wait until it has ended, or stop it")


def count(connection: Connection[Any], wanted: ParkedFilter, by: RefusedBy) -> tuple[int, int]:
    """How many messages have failed and fit, and the position of the last of them."""
    row = connection.execute(statement(COUNT, by), vars(wanted)).fetchone()
    assert row
    return int(row[0]), int(row[1])


END = """
update retry_runs set state = %(state)s, ended_at = now(), ended_by = %(actor)s, end_reason = %(reason)s
where run = %(run)s and state = 'running' returning failure
"""


def end(connection: Connection[Any], run: int, state: str, reason: str = "", actor: str | None = None) -> bool:
    """Whether it ended now; one that has ended stays as it is."""
    parameters = {"run": run, "state": state, "reason": clean(reason), "actor": clean(actor)}
    return connection.execute(END, parameters).fetchone() is not None


def stop(connection: Connection[Any], run: int, operator: Operator) -> RetryRun:
    """Stop a run: it retries no further message; those that it has retried are tried. One that has ended stays so.

    Raises:
        UnknownRun: there is none with this number.
    """
    with connection.transaction():
        found = find(connection, run)
        if end(connection, run, "stopped", operator.reason, operator.actor):
            operator_actions.record(connection, "stop run", operator, found.failure, run)
        return find(connection, run)


def stop_of_failure(connection: Connection[Any], failure: str, operator: Operator) -> None:
    """Stop the run that retries a failure group, if there is one."""
    row = connection.execute(OF_FAILURE, (failure,)).fetchone()
    if row:
        stop(connection, row[0], operator)
