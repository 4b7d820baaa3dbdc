"""Alarms of messages: parked, undeliverable, late, behind a detached queue, in a full broker, or for a dead webhook."""

from collections.abc import Iterator

from projections.monitor.alarm import INFRASTRUCTURE, PARKED, WEBHOOKS, Alarm
from projections.monitor.limits import AlarmLimits
from projections.monitor.snapshot import BrokerStatus, ReceivingFigures, RelayFigures, Snapshot

BROKER_LIMITS = {
    "memory": "RabbitMQ has reached its memory limit and takes no messages. Let queues be emptied, or raise the limit.",
    "disk": "RabbitMQ has too little disk space and takes no messages. Free space on its disk.",
    "file descriptors": "RabbitMQ has used up its file descriptors and takes no connections. Raise their limit.",
}


def parked_alarms(snapshot: Snapshot) -> Iterator[Alarm]:
    """Of messages that a reaction refused, as the worker of each group last counted them."""
    for group, figures in groups(snapshot).items():
        dead, retrying, waiting = (
            max((getattr(each, f"{state}_now") or 0 for each in figures), default=0)
            for state in ("dead", "retrying", "waiting")
        )
        behind = f" {waiting:,} wait behind them." if waiting else ""
        if dead:
            text = f"{messages(dead)} of the group {group} failed for the last time: a person must retry or skip."
            yield Alarm("dead_messages", group, "critical", f"{text}{behind}", PARKED)
        elif retrying or waiting:
            text = f"{messages(retrying)} of the group {group} failed, and the worker tries again.{behind}"
            yield Alarm("parked_messages", group, "warning", f"{text} Read the failure and mend its cause.", PARKED)


def groups(snapshot: Snapshot) -> dict[str, list[ReceivingFigures]]:
    """Each group's newest figures, by process."""
    found: dict[str, list[ReceivingFigures]] = {}
    for process in snapshot.processes:
        for each in process.last.receiving:
            found.setdefault(each.group, []).append(each)
    return found


def relay_alarms(snapshot: Snapshot, limits: AlarmLimits) -> Iterator[Alarm]:
    """Of what relays cannot publish, or not in time."""
    for each in relays(snapshot):
        name = each.database
        if each.undeliverable:
            text = f"The broker does not take {messages(each.undeliverable)} of {name}. Mend the cause, retry or skip."
            yield Alarm("undeliverable_messages", name, "critical", text, PARKED)
        if each.detached_queues:
            text = (
                f"{queues(each.detached_queues)} no answer, and the relay of {name} publishes around them; their "
                "messages wait in the outbox. Look at the broker."
            )
            yield Alarm("detached_queues", name, "critical", text, INFRASTRUCTURE)
        if each.is_active and each.lag_seconds > limits.relay_lag_seconds:
            text = f"The relay of {name} is {each.lag_seconds:,.0f} s behind: announcements wait to be published."
            yield Alarm("relay_lag", name, "warning", text, INFRASTRUCTURE)


def relays(snapshot: Snapshot) -> list[RelayFigures]:
    return [each for process in snapshot.processes for each in process.relays]


def queue_alarms(snapshot: Snapshot, limits: AlarmLimits) -> Iterator[Alarm]:
    """Of groups that receive more slowly than messages come."""
    known = groups(snapshot)
    for group, waiting in snapshot.broker.waiting().items():
        rate = sum(each.received_per_second or 0 for each in known.get(group, []))
        if any(each.is_paused for each in known.get(group, [])):
            continue
        if waiting > limits.waiting_messages and waiting > rate * limits.waiting_seconds:
            pace = f"at {rate:,.0f} a second" if rate >= 1 else "and hardly one is received"
            text = (
                f"{messages(waiting)} wait for the group {group}, {pace}. Look at its workers, or start more of them."
            )
            yield Alarm("group_lag", group, "warning", text, INFRASTRUCTURE)


def webhook_alarms(snapshot: Snapshot) -> Iterator[Alarm]:
    """Of subscriptions whose endpoint is dead."""
    disabled = max((process.last.disabled_webhooks for process in snapshot.processes), default=0)
    if disabled:
        which = "1 webhook is disabled: its" if disabled == 1 else f"{disabled:,} webhooks are disabled: their"
        text = f"{which} endpoint is dead, and gets nothing. Mend it and resume, or remove the subscription."
        yield Alarm("webhook_disabled", "", "warning", text, WEBHOOKS)


def broker_alarms(broker: BrokerStatus) -> Iterator[Alarm]:
    """Of the broker itself."""
    if broker.is_away:
        text = f"{broker.problem} No message moves while it is down. Start it, or correct the address."
        yield Alarm("broker_away", "", "critical", text, INFRASTRUCTURE)
    for limit in broker.alarms:
        yield Alarm("broker_limit", limit, "critical", BROKER_LIMITS[limit], INFRASTRUCTURE)


def messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"


def queues(number: int) -> str:
    return "1 queue gives" if number == 1 else f"{number:,} queues give"
