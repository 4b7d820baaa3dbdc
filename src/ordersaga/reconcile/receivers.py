"""The receivers of a message, and whether an event announces it, as the services of an application declare."""

from collections.abc import Sequence

from ordersaga.readside.read_side import ReadSide
from ordersaga.service import Service


class Receivers:
    """The receivers of each contract among the services of an application."""

    def __init__(self, services: Sequence[Service]) -> None:
        read_sides = [service for service in services if isinstance(service, ReadSide)]
        self._sources = {read_side.name: {source.name for source in read_side.sources} for read_side in read_sides}
        self._reacting = {
            service.name: service.reactions.by_contract for service in services if service.name not in self._sources
        }
        self._without_events = {contract for service in services for contract in service.announcements.without_events}

    def of(self, contract: str, source: str) -> list[str]:
        """The services that react to this contract, and the read sides of the source that announced it."""
        reacting = [name for name, contracts in self._reacting.items() if contract in contracts]
        return [*reacting, *(name for name, sources in self._sources.items() if source in sources)]

    def is_read_side(self, service: str) -> bool:
        return service in self._sources

    def is_without_event(self, contract: str | None) -> bool:
        """Whether a service announces the contract without an event, so that no stored event explains its messages."""
        return contract in self._without_events

    def inbox(self, service: str) -> str:
        """The table of a service's received messages; a read side's is complete, an inbox is purged."""
        return "event_log" if self.is_read_side(service) else "inbox"
