"""Routes: the exchanges to which a message goes while queues are detached."""

from collections.abc import Iterable, Mapping, Sequence

from ordersaga.broker.topology import EVENTS, receives, side_exchange_of
from ordersaga.envelope.message import Message
from ordersaga.relay.detached import Detached


class Routes:
    """A message of a detached partition goes to each group that answers, through the group's own exchange."""

    def __init__(self, groups: Mapping[str, Sequence[str]], detached: Iterable[Detached]) -> None:
        """`groups` has the contracts of every group whose exchange exists."""
        detached = list(detached)
        self._groups = groups
        self._partitions = {partition for row in detached for partition in row.partitions}
        self._silent = {(row.group, partition) for row in detached if row.group for partition in row.partitions}

    def is_around(self, message: Message) -> bool:
        """Whether the message does not go to `events`."""
        return message.partition in self._partitions

    def of(self, message: Message) -> tuple[str, ...]:
        """The exchanges; none when nobody but the detached queues gets the message."""
        partition = message.partition
        if partition not in self._partitions:
            return (EVENTS,)
        return tuple(
            side_exchange_of(group)
            for group, contracts in self._groups.items()
            if receives(contracts, message.contract) and (group, partition) not in self._silent
        )
