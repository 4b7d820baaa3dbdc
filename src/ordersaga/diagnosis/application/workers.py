"""Do workers hold the queues of each group, and do they take its dead letters?"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from ordersaga.broker.group_status import GroupStatus
from ordersaga.diagnosis.broker.asked import PLACE
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.named_lock import NamedLock
from ordersaga.diagnosis.questions import Answers
from ordersaga.service import Service


def workers(
    groups: Iterable[GroupStatus], by_group: Mapping[str, Service], locks: Sequence[NamedLock], paused: Collection[str]
) -> Answers:
    """Of the groups that receive anything and are not paused.

    Args:
        locks: of all databases that have answered.
        paused: databases of groups that are meant to receive nothing.
    """
    for status in groups:
        service = by_group[status.group]
        if service.contracts and service.database not in paused:
            connected = [lock for lock in locks if lock.place == service.database and lock.is_of_worker]
            yield from not_held(status, service, connected)
            yield from dead_letters(status)


def not_held(status: GroupStatus, service: Service, connected: Sequence[NamedLock]) -> Answers:
    """Queues without a consumer; a worker that has the database and not the queues is named."""
    free = [queue for queue in status.queues if not queue.consumers]
    if not free:
        return
    waiting = sum(queue.ready for queue in free)
    what = f"nobody receives from {', '.join(queue.name for queue in free)}; messages that wait: {waiting}"
    remedy = f"start a worker of {service.name}"
    if connected:
        pids = ", ".join(str(lock.who.pid) for lock in connected)
        what += f". Workers have sessions in {service.database} all the same (pid {pids})"
        remedy = "restart them: their logs and /readyz say why they do not hold the queues"
    yield DiagnosisFinding("critical", "queue without worker", PLACE, what, remedy)


def dead_letters(status: GroupStatus) -> Answers:
    """Workers move dead letters into the parked messages as they come."""
    if status.dead_letters:
        yield DiagnosisFinding(
            "warning",
            "dead letters",
            PLACE,
            f"dead letters of {status.group} wait ({status.dead_letters}); workers that take them: {status.workers}",
            "start or restart a worker of the group; it parks them, and then ordersaga parked list shows them",
        )
