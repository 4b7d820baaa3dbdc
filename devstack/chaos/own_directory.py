"""The directory of one run, which must be empty: the chosen one, or a temporary one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ordersaga.cli.errors import CannotRunHere


@contextmanager
def own_directory(chosen: Path | None) -> Iterator[Path]:
    """`chosen`, which is made and kept, or a temporary directory, which is deleted when the block ends.

    Raises CannotRunHere when the chosen one is not empty.
    """
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="ordersaga-chaos-") as made:
            # Others may pass through, not look: Postgres started by root runs as another user.
            Path(made).chmod(0o711)
            yield Path(made)
        return
    make_empty(chosen)
    yield chosen.absolute()


def make_empty(directory: Path) -> None:
    """Make it, unless it is there and empty. Raises CannotRunHere when there is something in it, or it cannot be."""
    make(directory)
    if any(directory.iterdir()):
        raise CannotRunHere(f"{directory} is not empty. A run wants a directory of its own: name a new one.")


def make(directory: Path) -> None:
    """Make it, unless it is there. Raises CannotRunHere when it cannot be made or written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise CannotRunHere(f"{directory} cannot be used: {error.strerror}. Name another directory.") from None
