"""Snapshots of the running system: immutable figures from the processes and the broker."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from projections.monitor.dependencies import OperationFigures

State = Literal["up", "not ready", "down"]
NOT_SET = "BROKER_METRICS_URL is not set."
NOT_ANSWERED_YET = "The broker has not answered yet."


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
    undeliverable: int = 0
    """Messages that the broker refused or the relay does not send, and those that wait behind them."""
    detached_queues: int = 0


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
    is_paused: bool = False
    """Whether a person has paused the group."""


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
    open_circuits: tuple[str, ...] = ()
    """Operations of outside steps that are not called, such as `card processor: charge`."""
    operations: tuple[OperationFigures, ...] = ()
    """What its outside steps call."""
    disabled_webhooks: int = 0
    """Subscriptions that get nothing because their endpoint is dead."""
    answered_at: datetime | None = None
    """The time of these figures."""
    before: "ProcessStatus | None" = None
    """While it does not answer: its last status with figures."""

    @property
    def last(self) -> "ProcessStatus":
        """The status with the newest figures, which are old while the process does not answer."""
        return self.before or self


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue, from the broker's metrics."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int | None

    @property
    def group(self) -> str:
        """The consumer group whose queue it is; empty for another queue."""
        group, _, part = self.name.rpartition(".")
        return group if part.isdigit() else ""


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
    alarms: tuple[str, ...] = ()
    """Limits that the broker has reached: memory, disk, file descriptors. It then takes no messages."""

    @property
    def is_away(self) -> bool:
        """Whether its metrics are asked for and do not come."""
        return self.source == "processes" and bool(self.problem) and self.problem not in (NOT_SET, NOT_ANSWERED_YET)

    def waiting(self) -> dict[str, int]:
        """Group -> messages in its queues, ready or unacknowledged."""
        found: dict[str, int] = {}
        for queue in self.queues:
            if queue.group:
                found[queue.group] = found.get(queue.group, 0) + queue.ready + queue.unacknowledged
        return found


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
    """Oldest first: about one a second while a dashboard was open, and one every ten seconds otherwise."""
    is_late: bool = False
    """Whether a newer snapshot is overdue although a dashboard is open."""
