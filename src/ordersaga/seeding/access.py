"""SeedingAccess: the servers of a seeding."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SeedingAccess:
    """The URLs; those of databases are by name of the service."""

    amqp_url: str
    """Of a user who may declare and publish."""
    stores: Mapping[str, str]
    """Of roles that may read events, outbox and detached queues."""
    leads: Mapping[str, str]
    """Of roles that may end the session of the relay."""
    group: str
    """Of the group's own role."""
    queues: int | None = None
    """Queues of a group that has none yet."""
