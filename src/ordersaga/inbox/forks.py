"""Forks: a message whose id was received before, but with another event, so its source has two histories."""

from collections.abc import Mapping
from uuid import UUID, uuid5

import prometheus_client

from ordersaga.envelope.message import NAMESPACE, UnreadableMessage
from ordersaga.inbox.delivery import Received
from ordersaga.runtime.logs import log, working_on

FORKS = prometheus_client.Counter(
    "ordersaga_messages_forked_total", "Messages that contradict one received before", ["group"]
)


class ForkedHistory(UnreadableMessage):
    """The source recorded one version of an aggregate twice, as after promoting a replica that lagged."""

    def __init__(self, message: Received, recorded: bytes) -> None:
        super().__init__(
            f"message {message.id} announces event {message.message.event_hash.hex()}, but was received before with "
            f"event {recorded.hex() or 'unknown'}: {message.message.source} has two histories of {message.key}, "
            f"version {message.message.sequence}. Compare both and decide which is true: "
            "skip this one, or retry it if the other was skipped and took no effect"
        )


def is_new(message: Received, seen: dict[UUID, bytes]) -> bool:
    """Whether the message is new, and not a repeat. Adds a new one to `seen` (message id -> event hash).

    Raises:
        ForkedHistory: the id was seen with another event.
    """
    first = message.id not in seen
    fork = fork_among(message, seen)
    if fork:
        raise fork
    seen[message.id] = message.message.event_hash
    return first


def fork_among(message: Received, seen: Mapping[UUID, bytes]) -> ForkedHistory | None:
    """The error if the id was seen with another event, or without one, else None."""
    recorded = seen.get(message.id)
    if recorded is None or recorded == message.message.event_hash:
        return None
    return ForkedHistory(message, recorded)


def fork_id(message: Received) -> UUID:
    """The id under which a fork is parked: its own is taken, and a redelivery must get the same id again."""
    return uuid5(NAMESPACE, f"{message.id}/fork/{message.message.event_hash.hex()}")


def report(group: str, message: Received, fork: ForkedHistory) -> None:
    """Count and log a fork."""
    FORKS.labels(group).inc()
    with working_on(message.message.cause, message.id):
        log.error("forked history", contract=message.contract, key=message.key, reason=str(fork))
