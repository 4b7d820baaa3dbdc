"""Progress of a long command on stderr: one line that changes in a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

SAY_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""
CLEAR = "\r\x1b[K"


class LiveLine:
    """One line, whose text changes."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()

    def rate(self, number: int) -> str:
        """So many since the beginning, a second."""
        return f"{number / max(time.monotonic() - self._began, 0.001):,.0f}/s"

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._is_terminal:
            click.echo(CLEAR + text, nl=False, err=True)
        elif now - self._said > SAY_EVERY:
            self._said = now
            click.echo(text, err=True)

    def clear(self) -> None:
        if self._is_terminal:
            click.echo(CLEAR, nl=False, err=True)


@contextmanager
def live_line(text: str) -> Iterator[LiveLine]:
    """With `text` at first, cleared at the end; stdout stays the answer."""
    line = LiveLine()
    line.show(text)
    try:
        yield line
    finally:
        line.clear()
