"""The progress of a rebuild, for a display."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEPS = ("freeze", "derive", "load", "fold", "index", "compare", "catch up", "swap")


@dataclass
class RebuildProgress:
    """`done` of `total`: positions of the stores in the step `derive`, parts in every other step."""

    step: str = ""
    done: int = 0
    total: int = 0
    events: int = 0
    messages: int = 0
    findings: int = 0
    show: "Callable[[RebuildProgress], None]" = lambda _: None
    """Called after every change."""

    def begin(self, step: str, total: int = 1) -> None:
        self.step, self.done, self.total = step, 0, total
        self.show(self)

    def advance(self, done: int = 1, events: int = 0, messages: int = 0) -> None:
        self.done += done
        self.events += events
        self.messages += messages
        self.show(self)

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """A step of one part, for the length of the block."""
        self.begin(step)
        yield
        self.advance()
