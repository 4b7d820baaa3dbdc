"""LiveLine: progress on stderr, as one changing line in a terminal, else as a line every few seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

PRINT_INTERVAL_SECONDS = 5.0
"""Seconds between two lines without a terminal."""
CLEAR = "\r\x1b[K"


class LiveLine:
    """One line, whose text changes."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()

    def rate(self, number: int) -> str:
        """The average rate since the beginning."""
        return f"{number / max(time.monotonic() - self._began, 0.001):,.0f}/s"

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._is_terminal:
            click.echo(CLEAR + text, nl=False, err=True)
        elif now - self._said > PRINT_INTERVAL_SECONDS:
            self._said = now
            click.echo(text, err=True)

    def clear(self) -> None:
        if self._is_terminal:
            click.echo(CLEAR, nl=False, err=True)


@contextmanager
def live_line(text: str) -> Iterator[LiveLine]:
    """A line that shows `text` first and is cleared at the end of the block."""
    line = LiveLine()
    line.show(text)
    try:
        yield line
    finally:
        line.clear()
