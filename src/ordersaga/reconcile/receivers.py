"""The receivers of a message, and whether an event announces it, as the services of an application declare."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ordersaga.broker.topology import receives
from ordersaga.envelope.versions import every_version
from ordersaga.readside.read_side import ReadSide
from ordersaga.reconcile.reach import Reach
from ordersaga.reconcile.silent_queues import SilentQueue
from ordersaga.service import Service


class Receivers:
    """The receivers of each contract among the services of an application."""

    def __init__(
        self,
        services: Sequence[Service],
        silent: Mapping[str, Sequence[SilentQueue]] = MappingProxyType({}),
        reach: Mapping[str, Reach] = MappingProxyType({}),
    ) -> None:
        """`silent` has the queues that give no answer, by the service whose messages they lack; `reach` says by
        service what its group is to have, everything if it says nothing."""
        self._reach = reach
        self._silent = silent
        self._groups = {service.name: service.group for service in services}
        read_sides = [service for service in services if isinstance(service, ReadSide)]
        self._sources = {read_side.name: {source.name for source in read_side.sources} for read_side in read_sides}
        self._reacting = {service.name: service.contracts for service in services if service.name not in self._sources}
        self._without_events = {
            name for service in services for name in every_version(service.announcements.without_events.values())
        }

    def of(self, contract: str, source: str) -> list[str]:
        """The services that react to any version of this contract, and the read sides of its source."""
        reacting = [name for name, contracts in self._reacting.items() if receives(contracts, contract)]
        return [*reacting, *(name for name, sources in self._sources.items() if source in sources)]

    def expects(self, receiver: str, announced_at: datetime) -> bool:
        """Whether the receiver is to have a message that was announced then; a read side is to have all of them."""
        return self.is_read_side(receiver) or self._reach.get(receiver, Reach()).includes(announced_at)

    def silent_queue(self, receiver: str, source: str, key: str | None) -> SilentQueue | None:
        """The queue of the receiver that gives no answer, and therefore lacks messages of this key."""
        group = self._groups[receiver]
        return next((queue for queue in self._silent.get(source, ()) if queue.lacks(group, key)), None)

    def is_read_side(self, service: str) -> bool:
        return service in self._sources

    def is_without_event(self, contract: str | None) -> bool:
        """Whether a service announces the contract without an event, so that no stored event explains its messages."""
        return contract in self._without_events

    def inbox(self, service: str) -> str:
        """The table of a service's received messages; a read side's is complete, an inbox is purged."""
        return "event_log" if self.is_read_side(service) else "inbox"
