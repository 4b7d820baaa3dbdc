"""How far a long command has come: a live line in a terminal, else a line every few seconds; on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

SAY_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""


class LiveLine:
    """One line, whose text changes."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._began = self._said = time.monotonic()

    def rate(self, number: int) -> str:
        """So many since the beginning, a second."""
        return f"{number / max(time.monotonic() - self._began, 0.001):,.0f}/s"

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._console.is_terminal:
            self._status.update(text)
        elif now - self._said > SAY_EVERY:
            self._said = now
            self._console.print(text, highlight=False)


@contextmanager
def live_line(text: str) -> Iterator[LiveLine]:
    """With `text` at first; stdout stays the answer."""
    console = Console(stderr=True)
    with console.status(text) as status:
        yield LiveLine(console, status)
