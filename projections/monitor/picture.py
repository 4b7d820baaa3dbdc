"""What one sees of the running system: plain, immutable figures, without a word on where they come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["up", "not ready", "down"]


@dataclass(frozen=True, slots=True)
class RelayFigures:
    """One database that a relay publishes, or stands by for."""

    database: str
    is_active: bool
    lag_seconds: float
    """Age of the moment up to which everything committed is confirmed; about 0 for a standby."""
    lag_rows: int
    """Rows read and not confirmed yet; what was committed after the relay's last look is not among them."""
    published: int
    """Since the process started, as are all totals here."""
    published_per_second: float | None
    """None until a process has been seen twice, as are all rates here."""


@dataclass(frozen=True, slots=True)
class ReceivingFigures:
    """What a worker does with the messages of its group."""

    group: str
    received: int
    received_per_second: float | None
    duplicates: int
    duplicates_per_second: float | None
    parked: int
    parked_per_second: float | None
    forks: int
    retrying_now: int | None
    """Parked at present, as the worker last counted; None before it has."""
    waiting_now: int | None
    """Behind others of their key."""
    dead_now: int | None


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """What an API answers, but for health checks."""

    answered: int
    per_second: float | None
    failed: int
    """Answered with 5xx."""
    failed_per_second: float | None
    p95_seconds: float | None
    """Of the last minute; None when nothing was asked."""


@dataclass(frozen=True, slots=True)
class ProcessPicture:
    """One process; figures are None, or empty, when it does not answer or has none of the sort."""

    name: str
    kind: str
    url: str
    state: State
    problems: tuple[str, ...]
    """Why it is not up, each in one sentence."""
    since: datetime
    """When this state was first seen."""
    started_at: datetime | None = None
    memory_bytes: int | None = None
    cores: float | None = None
    """Of the processor: 1.0 is one core in full."""
    relays: tuple[RelayFigures, ...] = ()
    receiving: tuple[ReceivingFigures, ...] = ()
    requests: RequestFigures | None = None


@dataclass(frozen=True, slots=True)
class QueuePicture:
    """One queue, as the broker tells it."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int | None


@dataclass(frozen=True, slots=True)
class BrokerPicture:
    """The broker's traffic, by its own count, else by that of the relays and workers."""

    source: Literal["broker", "processes"]
    problem: str | None
    """Why the broker's own count is not to be had."""
    enqueued_per_second: float | None
    """Messages that the broker took from publishers."""
    delivered_per_second: float | None
    """To consumers, those delivered again included."""
    acknowledged_per_second: float | None = None
    unroutable: int | None = None
    """Returned to their publisher or dropped since the broker started."""
    ready: int | None = None
    unacknowledged: int | None = None
    """None is unknown: only the broker knows."""
    queues: tuple[QueuePicture, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole at one moment."""

    at: datetime
    processes: tuple[ProcessPicture, ...]
    broker: BrokerPicture

    def process(self, name: str) -> ProcessPicture | None:
        return next((process for process in self.processes if process.name == name), None)


@dataclass(frozen=True, slots=True)
class Sight:
    """The newest picture, and those before it for charts."""

    now: Picture | None
    """None until the first round of questions has ended."""
    history: tuple[Picture, ...]
    """About one a second, oldest first, `now` last; there are none of the time when nobody looked."""
