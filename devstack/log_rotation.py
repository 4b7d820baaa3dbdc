"""Rotation of the logs of a stack: a log over its size is copied to `<name>.log.1` and emptied."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from shutil import copyfile

MAX_BYTES = 10 * 1024 * 1024
"""Size after which a log is rotated; with the previous one, a process keeps twice as much."""


def rotate(log: Path, most: int = MAX_BYTES) -> bool:
    """Move what is in the log to `<name>.log.1`, if it is larger than `most` bytes. Returns whether it was.

    The process goes on writing to the same file, which it has opened for appending; lines that it writes during the
    copy may be lost.
    """
    if not log.exists() or log.stat().st_size <= most:
        return False
    copyfile(log, previous := log.with_name(f"{log.name}.1"))
    previous.chmod(0o600)
    with log.open("r+b") as current:
        current.truncate(0)
    return True


def rotate_all(directories: Iterable[Path], most: int = MAX_BYTES) -> None:
    """Rotate every log in these directories, also those of steps and of the supervisor.

    A log that cannot be copied, as on a full disk, stays as it is until it can.
    """
    for directory in directories:
        for log in directory.glob("*.log"):
            with suppress(OSError):
                rotate(log, most)
