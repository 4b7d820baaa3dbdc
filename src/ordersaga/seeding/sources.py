"""The sources of a consumer group: the services that announce what it receives."""

from collections.abc import Iterable
from typing import NamedTuple

from ordersaga.broker.topology import receives
from ordersaga.envelope.versions import every_version
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements


class SeedingSource(NamedTuple):
    """What one service announces of what the group receives."""

    service: Service
    of_events: frozenset[str]
    """Contracts that are derived from its event store, each in the version of this code."""
    without_events: frozenset[str]
    """Contracts, in every version, of which only the outbox has messages, for as long as it keeps them."""

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def announcements(self) -> Announcements:
        return self.service.announcements


def sources_of(group: Service, services: Iterable[Service]) -> list[SeedingSource]:
    """The services that announce a contract of the group; its own service may be one of them."""
    found = [source_of(group, each) for each in services if not each.is_read_side]
    return [source for source in found if source.of_events or source.without_events]


def source_of(group: Service, service: Service) -> SeedingSource:
    """What the service announces of what the group receives; it may be nothing."""
    announcements = service.announcements
    without_events = every_version(announcements.without_events.values())
    wanted = {name for name in (*announcements.newest, *without_events) if receives(group.contracts, name)}
    return SeedingSource(service, frozenset(wanted - without_events.keys()), frozenset(wanted & without_events.keys()))


def without_source(group: Service, sources: Iterable[SeedingSource]) -> list[str]:
    """The contracts of the group that no service of the application announces."""
    announced = {name for source in sources for name in (*source.of_events, *source.without_events)}
    return sorted(each for each in group.contracts if not any(receives([each], name) for name in announced))
