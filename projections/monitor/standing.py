"""Standing alarms: what was derived in two rounds stands, and what was missing in two rounds has ended."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from projections.monitor.alarm import Alarm, AlarmKey

ROUNDS = 2
MAX_ENDED = 1_000
"""Ended alarms that wait for the database; the oldest are dropped."""


class Ended(NamedTuple):
    """An alarm that stood, and the time of its end."""

    alarm: Alarm
    cleared_at: datetime


class Standing:
    """The alarms that stand. One thread updates it."""

    def __init__(self) -> None:
        self.alarms: tuple[Alarm, ...] = ()
        """In the order of the last derivation; each has its `since`."""
        self.ended: list[Ended] = []
        """Ended and not recorded yet."""
        self.is_unsure = False
        """Whether an alarm waits for its second round."""
        self.rounds = 0
        self._seen: dict[AlarmKey, int] = {}
        self._missed: dict[AlarmKey, int] = {}
        self._since: dict[AlarmKey, datetime] = {}

    def update(self, derived: Iterable[Alarm], now: datetime) -> None:
        """Take the alarms of one round."""
        self.rounds += 1
        found = {alarm.key: alarm for alarm in derived}
        before = {alarm.key: alarm for alarm in self.alarms}
        self._seen = {key: self._seen.get(key, 0) + 1 for key in found}
        self._missed = {key: self._missed.get(key, 0) + 1 for key in before if key not in found}
        for key, alarm in found.items():
            self._since.setdefault(key, alarm.since or now)
        new = [alarm for key, alarm in found.items() if key in before or self._seen[key] >= ROUNDS]
        kept = [before[key] for key, missed in self._missed.items() if missed < ROUNDS]
        self.ended += [Ended(before[key], now) for key, missed in self._missed.items() if missed >= ROUNDS]
        del self.ended[:-MAX_ENDED]
        self.alarms = tuple(replace(alarm, since=self._since[alarm.key]) for alarm in [*new, *kept])
        self.is_unsure = bool(kept) or len(new) < len(found)
        left = found.keys() | {alarm.key for alarm in kept}
        self._since = {key: at for key, at in self._since.items() if key in left}

    def adopt(self, since: dict[AlarmKey, datetime]) -> None:
        """Take the beginnings that are recorded, of alarms that stood before this process started."""
        self._since |= {key: at for key, at in since.items() if key in self._since}
        self.alarms = tuple(replace(alarm, since=self._since[alarm.key]) for alarm in self.alarms)
