"""Alarms of processes: down, not ready, with a warning, missing for a group or a database, or of a paused group."""

from collections.abc import Iterator

from projections.monitor.alarm import INFRASTRUCTURE, Alarm
from projections.monitor.expected import Expected
from projections.monitor.snapshot import ProcessStatus, Snapshot


def process_alarms(snapshot: Snapshot) -> Iterator[Alarm]:
    """Of each process by itself."""
    for process in snapshot.processes:
        for circuit in process.open_circuits:
            yield Alarm(
                "circuit_open", f"{process.name} {circuit}", "warning", of_circuit(process, circuit), INFRASTRUCTURE
            )
        if process.state == "down":
            yield Alarm("process_down", process.name, "critical", down(process), INFRASTRUCTURE, process.since)
        elif process.state == "not ready" and len(process.problems) > len(process.open_circuits):
            yield Alarm(
                "process_not_ready", process.name, "critical", not_ready(process), INFRASTRUCTURE, process.since
            )
        elif process.state == "up" and process.problems and not has_alarm_of_its_own(process):
            yield Alarm("process_warning", process.name, "warning", warned(process), INFRASTRUCTURE)


def has_alarm_of_its_own(process: ProcessStatus) -> bool:
    """Whether another alarm says what its warnings say."""
    detached = any(each.detached_queues for each in process.relays)
    paused = any(each.is_paused for each in process.receiving)
    return detached or paused or bool(process.open_circuits) or bool(process.disabled_webhooks)


def down(process: ProcessStatus) -> str:
    return f"{process.name} is down. {sentences(process)} Read its log, and start it again."


def not_ready(process: ProcessStatus) -> str:
    return f"{process.name} is not ready. {sentences(process)}"


def warned(process: ProcessStatus) -> str:
    return f"{process.name} runs with a warning. {sentences(process)}"


def of_circuit(process: ProcessStatus, circuit: str) -> str:
    return (
        f"{process.name} does not call {circuit}, which does not answer; it tries again every few seconds, and the "
        "messages that need it wait. Look at that system."
    )


def sentences(process: ProcessStatus) -> str:
    return " ".join(f"{problem.rstrip('.')}." for problem in process.problems)


def missing_alarms(snapshot: Snapshot, expected: Expected) -> Iterator[Alarm]:
    """Of groups without a worker and databases without an active relay."""
    for group in groups_without_worker(snapshot, expected):
        yield Alarm("no_worker", group, "critical", no_worker(snapshot, group), INFRASTRUCTURE)
    for database in databases_without_relay(snapshot, expected):
        yield Alarm("no_relay", database, "critical", no_relay(database), INFRASTRUCTURE)


def pause_alarms(snapshot: Snapshot) -> Iterator[Alarm]:
    """Of groups that a person has paused."""
    for group in sorted(paused_groups(snapshot)):
        text = f"The group {group} is paused, and its messages wait. Resume it when the cause of the pause is gone."
        yield Alarm("group_paused", group, "warning", text, INFRASTRUCTURE)


def groups_without_worker(snapshot: Snapshot, expected: Expected) -> list[str]:
    """Groups of which no process answers, and groups that have a queue without a consumer."""
    answering = {each.group for process in snapshot.processes for each in process.receiving}
    unattended = {queue.group for queue in snapshot.broker.queues if queue.group and queue.consumers == 0}
    unattended -= paused_groups(snapshot)
    return sorted(each for each in groups_of(snapshot, expected) if each not in answering or each in unattended)


def paused_groups(snapshot: Snapshot) -> set[str]:
    """Groups that a person has paused, as their workers said last."""
    return {each.group for process in snapshot.processes for each in process.last.receiving if each.is_paused}


def groups_of(snapshot: Snapshot, expected: Expected) -> set[str]:
    """Groups whose workers answered once, and all that the shop has, if workers are monitored."""
    known = {each.group for process in snapshot.processes for each in process.last.receiving}
    return known.union(expected.groups) if known or is_monitored(snapshot, "worker") else known


def databases_without_relay(snapshot: Snapshot, expected: Expected) -> list[str]:
    """Databases for which no process publishes; one that is not ready says so itself."""
    relays = [(process, each) for process in snapshot.processes for each in process.relays]
    served = {each.database for process, each in relays if each.is_active or process.state == "not ready"}
    return sorted(databases_of(snapshot, expected) - served)


def databases_of(snapshot: Snapshot, expected: Expected) -> set[str]:
    """Databases whose relays answered once, and all that the shop has, if relays are monitored."""
    known = {each.database for process in snapshot.processes for each in process.last.relays}
    return known.union(expected.databases) if known or is_monitored(snapshot, "relay") else known


def is_monitored(snapshot: Snapshot, kind: str) -> bool:
    return any(process.kind == kind for process in snapshot.processes)


def no_worker(snapshot: Snapshot, group: str) -> str:
    waiting = snapshot.broker.waiting().get(group)
    said = "" if waiting is None else f", and {waiting:,} messages wait in its queues"
    return f"No worker receives the messages of the group {group}{said}. Start one, or look at the one that is stopped."


def no_relay(database: str) -> str:
    return f"No relay publishes the messages of {database}. Start one, or look at the one that is stopped."
