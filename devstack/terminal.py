"""The terminal of a command, which may be closed while the command works: what it can no longer show is dropped."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console

WIDTH = 120
"""Characters of a line where there is no terminal."""


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console that never raises: a command that heals and stops everything must come to its end."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(file=cast("TextIO", ForgivingStream(stream)), width=width, **options)


class ForgivingStream:
    """A stream of text; from the first error on, its file descriptor is that of /dev/null.

    Otherwise Python would try again to write what is left when it ends, and exit with 120.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._forgiven():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._forgiven():
            self._stream.flush()

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            with suppress(OSError, UnsupportedOperation), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
