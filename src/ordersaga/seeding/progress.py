"""The progress and the result of a seeding, for a display."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class SeedingProgress:
    """`done` of `total` are positions of the stores, of all windows so far."""

    show: "Callable[[SeedingProgress], None]" = lambda _: None
    """Called about twice a second, and at the beginning of each step."""
    step: str = ""
    done: int = 0
    total: int = 0
    events: int = 0
    messages: int = 0
    windows: int = 0
    ready: int = 0
    """Messages that wait in the group's queues, while the seeding waits for its workers; else 0."""
    unreadable: int = 0

    def begin(self, step: str) -> None:
        self.step = step
        self.show(self)


@dataclass
class SeedingResult:
    """What a seeding, or a dry run, has done; `seconds` are those of the whole."""

    group: str
    dry_run: bool
    since: datetime | None
    events: int = 0
    messages: int = 0
    by_contract: Counter[str] = field(default_factory=Counter)
    oldest: datetime | None = None
    newest: datetime | None = None
    """Times of the messages."""
    windows: int = 0
    unreadable: list[str] = field(default_factory=list)
    without_source: list[str] = field(default_factory=list)
    """Contracts of the group that no service of the application announces."""
    without_events: list[str] = field(default_factory=list)
    """Contracts of which only what the outboxes still have could be published."""
    seconds: float = 0.0
    paused_seconds: float = 0.0
    """How long the relays were paused for the last window."""

    def count(self, contract: str, time: datetime) -> None:
        """Count a message."""
        self.messages += 1
        self.by_contract[contract] += 1
        self.oldest = min(self.oldest or time, time)
        self.newest = max(self.newest or time, time)

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "by_contract": dict(sorted(self.by_contract.items()))}
