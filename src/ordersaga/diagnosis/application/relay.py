"""Does an active relay publish what the service announces, and what does it wait for?"""

from ordersaga.diagnosis.database.held_locks import is_paused_by_command
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.relay.status import NO_RELAY, RelayStatus, measure

MEASURED_SECONDS = 0.5
"""Time in which a relay that publishes gets at least one confirm."""


def relay(asked: AskedDatabase) -> Answers:
    """What `relay status` tells, as findings; a relay that a command has paused is a finding of that command."""
    status = measure(asked.connection, asked.place, 0)
    yield from undeliverable(status)
    yield from detached(status)
    if status.problem == NO_RELAY:
        if not is_paused_by_command(asked):
            yield no_relay(status)
    elif status.problem:
        yield stalled(status, status.problem, "relay status and its log say more; end the cause")
    elif status.lag_seconds > asked.terms.limits.lag and stands_still(asked):
        what = f"announcements wait ({status.lag_rows}), and nothing is published"
        yield stalled(status, what, "the log of the active relay says what it waits for; restart it if it hangs")


def stands_still(asked: AskedDatabase) -> bool:
    return not measure(asked.connection, asked.place, MEASURED_SECONDS).published_per_second


def no_relay(status: RelayStatus) -> DiagnosisFinding:
    waiting = f"; announcements that wait: {status.lag_rows}" if status.lag_rows else ""
    what = f"no relay is active{waiting}"
    remedy = "start one (ordersaga relay); one that runs does not reach RabbitMQ, and its log says why"
    return DiagnosisFinding("critical", "relay", status.database, what, remedy, status.oldest_time)


def stalled(status: RelayStatus, what: str, remedy: str) -> DiagnosisFinding:
    return DiagnosisFinding("critical", "relay", status.database, what, remedy, status.oldest_time)


def undeliverable(status: RelayStatus) -> Answers:
    if status.undeliverable:
        yield DiagnosisFinding(
            "warning",
            "undeliverable messages",
            status.database,
            f"messages are undeliverable ({status.undeliverable}), the first because of {status.undeliverable_reason}",
            "ordersaga parked list, then mend the cause or skip them",
            status.undeliverable_since,
        )


def detached(status: RelayStatus) -> Answers:
    for queue in status.detached:
        yield DiagnosisFinding(
            "critical",
            "detached queue",
            status.database,
            f"{queue.state}; rows of the outbox that are kept for it: {queue.kept_rows}",
            "bring back the nodes of RabbitMQ that have the queue; the relay then catches it up by itself",
            queue.since,
        )
