"""Two histories of one aggregate: a message that took effect here arrives again and announces another event."""

from collections.abc import Mapping
from uuid import UUID, uuid5

import prometheus_client

from ordersaga.envelope.message import NAMESPACE, UnreadableMessage
from ordersaga.inbox.delivery import Broken, Received
from ordersaga.runtime.logs import log, working_on

FORKS = prometheus_client.Counter(
    "ordersaga_messages_forked_total", "Messages that contradict one received before", ["group"]
)


class ForkedHistory(UnreadableMessage):
    """The source recorded one version of an aggregate twice, as after promoting a replica that lagged."""

    def __init__(self, message: Received, recorded: bytes) -> None:
        super().__init__(
            f"message {message.id} announces event {message.message.event_hash.hex()}, but was received before with "
            f"event {recorded.hex()}: {message.message.source} has two histories of {message.key}, "
            f"version {message.message.sequence}. Compare both, decide which is true, and skip this one"
        )


def is_new(message: Received, seen: dict[UUID, bytes]) -> bool:
    """False for a repeat; a new message is added to `seen` (message id -> event hash).

    Raises:
        ForkedHistory: it is neither.
    """
    first = message.id not in seen
    fork = fork_among(message, seen)
    if fork:
        raise fork
    seen[message.id] = message.message.event_hash
    return first


def fork_among(message: Received | Broken, seen: Mapping[UUID, bytes]) -> ForkedHistory | None:
    """The contradiction to what was seen under the same id, if there is one."""
    recorded = seen.get(message.id)
    if isinstance(message, Broken) or recorded is None or recorded == message.message.event_hash:
        return None
    return ForkedHistory(message, recorded)


def fork_id(message: Received) -> UUID:
    """The id under which a fork is parked: its own is taken, and a redelivery of it is the same fork."""
    return uuid5(NAMESPACE, f"{message.id}/fork/{message.message.event_hash.hex()}")


def alarm(group: str, message: Received, fork: ForkedHistory) -> None:
    FORKS.labels(group).inc()
    with working_on(message.message.cause, message.id):
        log.error("forked history", contract=message.contract, key=message.key, reason=str(fork))
