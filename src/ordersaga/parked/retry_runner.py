"""RetryRunner: advances the runs of retries; every worker has one, and one worker at a time advances."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from ordersaga.database.locks import BRIEFLY, RETRY_RUNNER, UNLOCK, try_lock
from ordersaga.parked import operations, retry_runs
from ordersaga.parked.group_pause import IS_PAUSED
from ordersaga.parked.operator import Operator, UnknownMessage
from ordersaga.parked.refused_by import REFUSED_BY, RefusedBy, statement
from ordersaga.parked.retry_runs import RetryRun
from ordersaga.runtime.errors import ErrorKind, classify
from ordersaga.runtime.logs import log
from ordersaga.runtime.reasons import safe_text

IDLE_SECONDS = 1.0
POLL_SECONDS = 0.1
"""While the outcome of the first messages is awaited."""
SHORTEST_SECONDS = 0.02
MAX_BATCH = 100
SETTLE_SECONDS = 60.0
"""For so long after its last retry a run waits for outcomes; an attempt takes less."""
NO_OUTCOME_AFTER = "interval '1 hour'"
"""A message without an outcome for so long, such as one behind a dead one, is no longer looked at."""

LOOK = f"""
select exists (select from retry_runs where state = 'running'), exists (select from retry_run_messages), {IS_PAUSED}
"""  # noqa: S608 - a constant
PUT_OFF = "update retry_runs set retried_at = now(), next_at = now() where state = 'running'"
COLLECT = f"""
with looked as (
    select of_run.*, parked.position is null as is_gone, coalesce(parked.has_failed, false) as has_failed
    from retry_run_messages as of_run left join {{rows}} on parked.position = of_run.position
    where of_run.refused_by = %(by)s
),
ended as (
    delete from retry_run_messages as mine using looked
    where (mine.run, mine.refused_by, mine.position) = (looked.run, looked.refused_by, looked.position)
        and (is_gone or has_failed or looked.retried_at < now() - {NO_OUTCOME_AFTER})
    returning looked.run, is_gone, has_failed, exists (
        select from parked_actions as action
        where action.message_id = looked.message_id and action.refused_by = looked.refused_by
            and action.action = 'skip' and action.acted_at >= looked.retried_at) as was_skipped
)
update retry_runs as counted set succeeded = counted.succeeded + new.succeeded, failed = counted.failed + new.failed,
    skipped = counted.skipped + new.skipped
from (
    select run, count(*) filter (where is_gone and not was_skipped) as succeeded, count(*) filter (where has_failed)
        as failed, count(*) filter (where is_gone and was_skipped) as skipped
    from ended group by run) as new
where counted.run = new.run
"""  # noqa: S608 - a constant
NEXT = """
select position, message_id from {rows}
where position > %(next)s and position <= %(last)s and state <> 'waiting' and held is not true
    and (%(failure)s::text is null or {failure} = %(failure)s) and (%(key)s::text is null or key = %(key)s)
    and (%(state)s::text is null or state = %(state)s)
order by position limit %(limit)s
"""
TIMES = """
select extract(epoch from now() - next_at)::float, extract(epoch from now() - retried_at)::float
from retry_runs where run = %s
"""
ADVANCE: dict[RefusedBy, str] = {
    by: f"""
update retry_runs set next_{by} = %(position)s, retried = retried + %(retried)s, retried_at = now()
where run = %(run)s and state = 'running' returning run"""  # noqa: S608 - constants
    for by in REFUSED_BY
}
ADD = "insert into retry_run_messages (run, refused_by, position, message_id) values (%s, %s, %s, %s)"
PACE = """
update retry_runs set next_at = greatest(next_at, now() - interval '1 second') + make_interval(secs => %s)
where run = %s
"""

Found = tuple[RefusedBy, int, UUID]
"""Who refused a message, its position and its id."""


class RetryRunner:
    """Keeps nothing: after a restart the next worker goes on where the table says."""

    def step(self, connection: Connection[Any]) -> float:
        """Count what came of retried messages, and retry those whose turn it is. Returns the seconds until the next."""
        row = connection.execute(LOOK).fetchone()
        assert row
        has_runs, has_messages, is_paused = row
        if is_paused and has_runs:
            connection.execute(PUT_OFF)
        if is_paused or not (has_runs or has_messages) or not try_lock(connection, RETRY_RUNNER):
            return IDLE_SECONDS
        try:
            collect(connection)
            return min([IDLE_SECONDS, *(advance_or_stop(connection, run) for run in retry_runs.running(connection))])
        finally:
            if not connection.closed:
                connection.execute(UNLOCK, RETRY_RUNNER)


def collect(connection: Connection[Any]) -> None:
    """Count the retried messages that have succeeded, failed again or been skipped."""
    for by in REFUSED_BY:
        connection.execute(statement(COLLECT, by), {"by": by})


def advance_or_stop(connection: Connection[Any], run: RetryRun) -> float:
    """As `advance`; a run that cannot be advanced stops, so that it keeps no other run of the service from its turn."""
    try:
        return advance(connection, run)
    except Exception as error:
        if connection.closed or classify(error) not in (ErrorKind.FAILED, ErrorKind.INVALID):
            raise
        stop_itself(connection, run, f"it cannot go on: {safe_text(error)}")
        return SHORTEST_SECONDS


def advance(connection: Connection[Any], run: RetryRun) -> float:
    """Retry what is due of a run, or end it. Returns the seconds until its next step."""
    row = connection.execute(TIMES, (run.run,)).fetchone()
    assert row
    behind, since_last = row
    settled = not run.under_way or since_last > SETTLE_SECONDS
    if reason := too_many_failed(run, settled):
        stop_itself(connection, run, reason)
        return SHORTEST_SECONDS
    due = number_due(run, settled, behind)
    found = list(following(connection, run, max(1, due)))
    if not found:
        if settled:
            retry_runs.end(connection, run.run, "done")
        return POLL_SECONDS
    tried = sum(1 for _ in retrying(connection, run, found[:due]))
    if tried and run.retried >= run.first:
        connection.execute(PACE, (tried / run.rate, run.run))
    return min(IDLE_SECONDS, max(SHORTEST_SECONDS, 1 / run.rate)) if tried else POLL_SECONDS


def too_many_failed(run: RetryRun, settled: bool) -> str:
    """Why the run must stop, while it has retried only the first ones; else an empty text."""
    first = min(run.first, run.total)
    if not 0 < run.retried <= first:
        return ""
    without_success = run.retried - run.succeeded - run.skipped if settled else run.failed
    of = run.retried if settled else first
    if without_success <= run.max_failed * of:
        return ""
    silent = f", {run.under_way} have no outcome" if settled and run.under_way else ""
    return f"{run.failed} of the first {of} failed again{silent}: more than {run.max_failed:.0%}"


def number_due(run: RetryRun, settled: bool, behind: float) -> int:
    """How many messages to retry now: the first ones at once, then none until they are settled, then at the rate."""
    if run.retried < run.first:
        return min(MAX_BATCH, run.first - run.retried)
    if run.retried == run.first:
        return 1 if settled else 0
    return min(MAX_BATCH, int(min(behind, 1.0) * run.rate) + 1) if behind >= 0 else 0


def stop_itself(connection: Connection[Any], run: RetryRun, reason: str) -> None:
    if retry_runs.end(connection, run.run, "stopped", reason):
        log.warning("a run of retries stopped itself", run=run.run, failure=run.failure, reason=reason)


def following(connection: Connection[Any], run: RetryRun, limit: int) -> Iterator[Found]:
    """The next messages of a run, first those that reactions refused."""
    for by, after, last in (
        ("reaction", run.next_reaction, run.last_reaction),
        ("broker", run.next_broker, run.last_broker),
    ):
        which = {"failure": run.failure, "key": run.key, "state": run.state_wanted}
        bounds = {"next": after, "last": last, "limit": limit}
        for position, message_id in connection.execute(statement(NEXT, by), {**which, **bounds}).fetchall():  # type: ignore[arg-type]
            yield by, position, message_id  # type: ignore[misc]
            limit -= 1
        if limit <= 0:
            return


def retrying(connection: Connection[Any], run: RetryRun, found: list[Found]) -> Iterator[Found]:
    """Retry these messages, each in a transaction of its own; ends early when a person stops the run."""
    for each in found:
        try:
            if not retry_one(connection, run, each):
                return
        except UnknownMessage:
            connection.execute(ADVANCE[each[0]].encode(), {"position": each[1], "retried": 0, "run": run.run})
            continue
        except LockNotAvailable:
            return  # an attempt at a message of its key runs; its turn comes again
        yield each


def retry_one(connection: Connection[Any], run: RetryRun, found: Found) -> bool:
    """Whether the run has not been stopped. Raises UnknownMessage, LockNotAvailable."""
    by, position, message_id = found
    with connection.transaction():
        connection.execute(BRIEFLY)
        counted = {"position": position, "retried": 1, "run": run.run}
        if connection.execute(ADVANCE[by].encode(), counted).fetchone() is None:
            return False
        connection.execute(ADD, (run.run, by, position, message_id))
        operations.retry(connection, message_id, Operator(run.actor, run.reason), refused_by=by)
    return True
