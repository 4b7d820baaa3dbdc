"""How far a rebuild has come, for whoever shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEPS = ("freeze", "derive", "load", "fold", "index", "compare", "catch up", "swap")


@dataclass
class Progress:
    """`done` of `total`, in positions of the stores while messages are derived, else the number of parts."""

    step: str = ""
    done: int = 0
    total: int = 0
    events: int = 0
    messages: int = 0
    findings: int = 0
    show: "Callable[[Progress], None]" = lambda _: None

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
        """A step of one part."""
        self.begin(step)
        yield
        self.advance()
