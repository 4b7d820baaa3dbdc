"""The directory of one run, which must be empty: the chosen one, or a temporary one."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ordersaga.cli.errors import CannotRunHere


@contextmanager
def own_directory(chosen: Path | None) -> Iterator[Path]:
    """`chosen`, which is made and kept, or a temporary directory, which is deleted when the block ends.

    Raises CannotRunHere when the chosen one is not empty, or another run has it.
    """
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="ordersaga-chaos-") as made:
            # Others may pass through, not look: Postgres started by root runs as another user.
            Path(made).chmod(0o711)
            yield Path(made)
        return
    with claimed(chosen):
        yield chosen.absolute()


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """The directory, which is made, is this run's alone for as long as the block lasts, and empty when it begins.

    The kernel ends the claim with the process, so that nothing is left of it. Raises CannotRunHere when the directory
    is not empty, cannot be made or written, or is claimed by another run.
    """
    make(directory)
    opened = locked(directory)
    try:
        if any(directory.iterdir()):
            raise CannotRunHere(f"{directory} is not empty. A run wants a directory of its own: name a new one.")
        yield
    finally:
        os.close(opened)


def locked(directory: Path) -> int:
    """A file descriptor that holds the lock of the directory until it is closed."""
    with usable(directory):
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            raise CannotRunHere(f"Another run is using {directory}. Name another directory.") from None
    return opened


def make(directory: Path) -> None:
    """Make it, unless it is there. Raises CannotRunHere when it cannot be made or written."""
    with usable(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass


@contextmanager
def usable(directory: Path) -> Iterator[None]:
    """Turns an OSError of the block into CannotRunHere, which names the directory."""
    try:
        yield
    except OSError as error:
        raise CannotRunHere(f"{directory} cannot be used: {error.strerror}. Name another directory.") from None
