"""How far a long command has come: a live line in a terminal, else a line every few seconds; on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status

SAY_EVERY = 5.0


@dataclass
class Progress:
    """Counts what is shown by what it is of."""

    console: Console
    status: Status
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def show(self, text: str, number: int) -> None:
        now = time.monotonic()
        rate = number / max(now - self.began, 0.001)
        line = f"{text}: {number:,} events ({rate:,.0f}/s)"
        if self.console.is_terminal:
            self.status.update(line)
        elif now - self.said > SAY_EVERY:
            self.said = now
            self.console.print(line, highlight=False)


@contextmanager
def progress(text: str) -> Iterator[Progress]:
    console = Console(stderr=True)
    with console.status(text) as status:
        yield Progress(console, status)
