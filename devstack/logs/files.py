"""The files of a log, which is rotated to `<name>.log.1`: read from the end, or while it grows."""

import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 64 * 1024


def lines_backwards(path: Path, end: int | None = None) -> Iterator[str]:
    """The lines before byte `end` (None: all), the last one first; reads the file only as far as the caller does."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END) if end is None else end
        rest = b""
        while place > 0:
            size = min(BLOCK, place)
            place -= size
            file.seek(place)
            first, *others = (file.read(size) + rest).split(b"\n")
            rest = first
            yield from (text(line) for line in reversed(others) if line)
        if rest:
            yield text(rest)


def text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


class GrowingLog:
    """What a process adds to its log, across rotations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.stat().st_size
        """The byte that is read next."""

    def new_lines(self) -> list[str]:
        """The complete lines since the last call."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return []
        before = b""
        if size < self.place:
            before, self.place = self._moved(), 0
        with self.path.open("rb") as file:
            file.seek(self.place)
            found = file.read()
        complete = found[: found.rfind(b"\n") + 1]
        self.place += len(complete)
        return [text(line) for line in (before + complete).split(b"\n") if line]

    def _moved(self) -> bytes:
        """What was written behind our place before a rotation copied it."""
        try:
            with self.path.with_name(f"{self.path.name}.1").open("rb") as file:
                file.seek(self.place)
                return file.read()
        except FileNotFoundError:
            return b""
