"""Torturer: one thread that injects the faults of a schedule and heals them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random

from devstack.chaos.fault import Fault
from devstack.chaos.schedule import Kind, Scheduled
from devstack.chaos.stage import Stage
from devstack.chaos.timeline import Timeline

PATIENCE = 20.0
"""Seconds for which a fault is tried again that finds its target not back from the fault before."""
PAUSE = 0.5


class Torturer(threading.Thread):
    """Start it with the load. `finish` ends it early; it always heals what it has injected before it ends."""

    def __init__(
        self, stage: Stage, scheduled: Sequence[Scheduled], kinds: dict[str, Kind], timeline: Timeline
    ) -> None:
        super().__init__(name="torturer")
        self.faults: dict[int, Fault] = {each.number: kinds[each.name](stage, Random(each.seed)) for each in scheduled}
        """By number of the schedule."""
        self.active: dict[int, Scheduled] = {}
        """Injected and not healed yet, in the order of their injection."""
        self._late = 0.0
        """Seconds that the agenda is behind its schedule."""
        self._scheduled = scheduled
        self._timeline = timeline
        self._finish = threading.Event()

    def finish(self) -> None:
        """Heal now; returns when everything is healed."""
        self._finish.set()
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        try:
            for at, is_begin, each in self._agenda():
                if self._finish.wait(max(0.0, at + self._late - self._timeline.now())):
                    break
                if is_begin:
                    self._inject(each)
                else:
                    self._heal(each)
                # A step took long, as when a full disk is emptied or a process is started with another clock: what
                # follows lasts as long as it was to all the same.
                self._late = max(self._late, self._timeline.now() - at)
        finally:
            for each in reversed(list(self.active.values())):
                self._heal(each)

    def _agenda(self) -> Iterator[tuple[float, bool, Scheduled]]:
        steps = [(each.at, True, each) for each in self._scheduled]
        steps += [(each.until, False, each) for each in self._scheduled]
        return iter(sorted(steps, key=lambda step: (step[0], step[2].number)))

    def _inject(self, each: Scheduled) -> None:
        fault = self.faults[each.number]
        try:
            if lacks := fault.cannot_run():
                self._timeline.note("skipped", lacks, each.name, each.number)
                return
            # Before the injection: one that fails halfway is healed too.
            self.active[each.number] = each
            self._timeline.note("inject", self._patiently(fault), each.name, each.number)
        except Exception as error:  # noqa: BLE001
            self._timeline.note("not injected", repr(error), each.name, each.number)

    def _patiently(self, fault: Fault) -> str:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return fault.inject()
            except Exception:
                if time.monotonic() > end or self._finish.wait(PAUSE):
                    raise
                with suppress(Exception):
                    fault.heal()

    def _heal(self, each: Scheduled) -> None:
        if each.number not in self.active:
            return
        try:
            self._timeline.note("heal", self.faults[each.number].heal(), each.name, each.number)
        except Exception as error:  # noqa: BLE001
            self._timeline.note("not healed", repr(error), each.name, each.number)
        del self.active[each.number]
