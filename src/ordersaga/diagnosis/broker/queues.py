"""Which queues are missing, superfluous or silent?"""

from collections.abc import Sequence

from ordersaga.broker.group_status import GroupStatus, group_status
from ordersaga.broker.provisioning import command_to_complete
from ordersaga.broker.silent_queues import answers
from ordersaga.broker.topology import QUEUE_COUNTS, dead_letters_of, queue_exists, queues_of
from ordersaga.diagnosis.broker.asked import PLACE, TOPOLOGY, AskedBroker
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers

TRIES = 3
"""Questions to a queue; a busy broker may answer late."""


def queues(asked: AskedBroker) -> Answers:
    """Those of each group; the state of the groups that are whole is kept for later questions."""
    for service in asked.services:
        names = queues_of(asked.connection, service.group)
        if not names:
            yield missing(f"the group {service.group} has no queues, so nothing is kept for it")
            continue
        yield from superfluous(asked, service.group, len(names))
        if not queue_exists(asked.connection, dead_letters_of(service.group)):
            yield missing(f"the queue {dead_letters_of(service.group)} is missing: a dead letter would be lost")
            continue
        yield from silent(asked, names)
        status = group_status(asked.connection, service.group)
        asked.answered.groups.append(status)
        yield from unfinished(status)


def unfinished(status: GroupStatus) -> Answers:
    """Whether the number of queues is final."""
    if not is_final(status):
        why = f"the number of queues of {status.group} is being changed, or a change was interrupted"
        yield DiagnosisFinding("warning", "changing queues", PLACE, why, command_to_complete(status.group))


def is_final(status: GroupStatus) -> bool:
    return not status.changing and len(status.queues) in QUEUE_COUNTS


def missing(what: str) -> DiagnosisFinding:
    return DiagnosisFinding("critical", "missing queue", PLACE, what, TOPOLOGY)


def superfluous(asked: AskedBroker, group: str, number: int) -> Answers:
    """Queues of the group behind a gap: no worker counts as far as that."""
    for name in (f"{group}.{each}" for each in range(number + 1, max(QUEUE_COUNTS))):
        if queue_exists(asked.connection, name):
            what = f"the queue {name} is superfluous: the group has {number}, and no worker receives from this one"
            remedy = f"move what is in it, then rabbitmqctl delete_queue {name}"
            yield DiagnosisFinding("warning", "superfluous queue", PLACE, what, remedy)


def silent(asked: AskedBroker, names: Sequence[str]) -> Answers:
    """Queues that answer late or without their leader, each time."""
    for name in names:
        asked.answered.asking = f"about the queue {name}"
        if not any(answers(asked.connection, name) for _ in range(TRIES)):
            yield DiagnosisFinding(
                "critical",
                "silent queue",
                PLACE,
                f"the queue {name} gives no answer: its messages wait in the outboxes",
                "bring back the nodes that have its members (rabbitmqctl list_queues name state leader online)",
            )
