"""Snapshots of the running system: immutable figures from the processes and the broker."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["up", "not ready", "down"]


@dataclass(frozen=True, slots=True)
class RelayFigures:
    """A relay's work on one database, as leader or standby."""

    database: str
    is_active: bool
    lag_seconds: float
    """Age of the moment up to which every committed row is confirmed; about 0 for a standby."""
    lag_rows: int
    """Rows read and not confirmed yet, without those committed after the relay's last query."""
    published: int
    """Since the process started, as are all totals here."""
    published_per_second: float | None
    """None until there are two readings, as are all rates here."""


@dataclass(frozen=True, slots=True)
class ReceivingFigures:
    """A worker's work on the messages of its group."""

    group: str
    received: int
    received_per_second: float | None
    duplicates: int
    duplicates_per_second: float | None
    parked: int
    parked_per_second: float | None
    forks: int
    retrying_now: int | None
    """Parked now, as the worker last counted; None before its first count."""
    waiting_now: int | None
    """Parked behind other messages of their key."""
    dead_now: int | None


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """The requests of an API, without health checks."""

    answered: int
    per_second: float | None
    failed: int
    """Answered with 5xx."""
    failed_per_second: float | None
    p95_seconds: float | None
    """Of the last minute; None without any request."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process; figures are None, or empty, when it does not answer or does not have them."""

    name: str
    kind: str
    url: str
    state: State
    problems: tuple[str, ...]
    """Why it is not up, or what a person should look at although it is, each in one sentence."""
    since: datetime
    """The first snapshot with this state."""
    started_at: datetime | None = None
    memory_bytes: int | None = None
    cores: float | None = None
    """CPU use: 1.0 is one core."""
    relays: tuple[RelayFigures, ...] = ()
    receiving: tuple[ReceivingFigures, ...] = ()
    requests: RequestFigures | None = None


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue, from the broker's metrics."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int | None


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The broker's traffic, from its own metrics or else from those of relays and workers."""

    source: Literal["broker", "processes"]
    problem: str | None
    """The reason why the broker's own metrics are missing."""
    enqueued_per_second: float | None
    """Messages that the broker took from publishers."""
    delivered_per_second: float | None
    """Deliveries to consumers, repeated ones included."""
    acknowledged_per_second: float | None = None
    unroutable: int | None = None
    """Returned to their publisher or dropped since the broker started."""
    ready: int | None = None
    unacknowledged: int | None = None
    """None when only relays and workers answered."""
    queues: tuple[QueueFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The system at one moment."""

    at: datetime
    processes: tuple[ProcessStatus, ...]
    broker: BrokerStatus

    def process(self, name: str) -> ProcessStatus | None:
        return next((process for process in self.processes if process.name == name), None)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The latest snapshot, and all that are kept."""

    latest: Snapshot | None
    """None before the end of the first round."""
    history: tuple[Snapshot, ...]
    """About one a second, oldest first; there are none of the time when no dashboard was open."""
