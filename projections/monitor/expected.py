"""The groups and databases that the shop has, whether or not a process answers for them."""

from dataclasses import dataclass

from projections.service import projections


@dataclass(frozen=True)
class Expected:
    """Each group needs a worker, and each database an active relay."""

    groups: tuple[str, ...]
    databases: tuple[str, ...]
    """The names by which the metrics of the relays call them."""


def of_the_shop() -> Expected:
    """Of the read side and of the services that it is made from."""
    services = projections.sources
    groups = (*(service.group for service in services if service.contracts), projections.group)
    return Expected(groups, tuple(service.name for service in services))
