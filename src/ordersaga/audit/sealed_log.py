"""The sealed log of one store, two files outside every database: a leaf a line, and signed checkpoints."""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ordersaga.audit.checkpoint import Checkpoint
from ordersaga.audit.merkle import Frontier, leaf_hash
from ordersaga.audit.note import BadNote, VerifierKey

OWNER_ONLY = 0o600
RESTORE = "Nothing more is sealed until it is repaired: restore the file from a copy, or move all of them away."


class LogDamaged(Exception):
    """A file differs from what was signed; the message names the file and the remedy."""


@dataclass(frozen=True)
class LogFiles:
    """The paths of a store's log."""

    directory: Path
    store: str

    @property
    def leaves(self) -> Path:
        return self.directory / f"{self.store}.leaves"

    @property
    def checkpoints(self) -> Path:
        return self.directory / f"{self.store}.checkpoints"


def read_leaves(path: Path) -> Iterator[bytes]:
    """Complete lines, without line ends; a partial line that a crash left is ignored."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


class Note(NamedTuple):
    """A signed note, and the offset in the file behind it."""

    text: str
    end: int


def read_notes(path: Path) -> Iterator[Note]:
    """The notes of a file: text, blank line, signatures, blank line. An unfinished note at the end is ignored."""
    with path.open("rb") as file:
        note, blanks, end = b"", 0, 0
        for line in file:
            end += len(line)
            blanks += line == b"\n"
            if blanks == 2:
                yield Note(note.decode(errors="replace"), end)
                note, blanks = b"", 0
            else:
                note += line


def is_begun(files: LogFiles) -> bool:
    """Whether the sealer has ever opened this log."""
    return files.checkpoints.exists() or files.leaves.exists()


class SealedLog:
    """The log, opened for appending by one process at a time."""

    def __init__(self, files: LogFiles, key: VerifierKey) -> None:
        """Raises LogDamaged: another process appends to it, or it is not as it was signed."""
        files.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files = files
        self._leaves, self._checkpoints = (open_file(path) for path in (files.leaves, files.checkpoints))
        self.frontier = Frontier()
        self.last: Checkpoint | None = None
        try:
            self._lock()
            self._read(key)
        except BaseException:
            self.close()
            raise

    def append(self, lines: list[bytes]) -> None:
        """Append leaves; the next checkpoint makes them permanent. Raises LogDamaged: a file was changed meanwhile."""
        self._check_untouched()
        self._leaves.write(b"".join(line + b"\n" for line in lines))
        self._leaves.flush()
        self._leaves_end = self._leaves.tell()
        for line in lines:
            self.frontier.append(leaf_hash(line))

    def sign(self, checkpoint: Checkpoint, note: str) -> None:
        """Append a signed checkpoint over all leaves; the leaves are on disk before the checkpoint is.

        Raises:
            LogDamaged: a file was changed meanwhile.
        """
        self._check_untouched()
        os.fsync(self._leaves.fileno())
        self._checkpoints.write(f"{note}\n".encode())
        self._checkpoints.flush()
        os.fsync(self._checkpoints.fileno())
        self._checkpoints_end = self._checkpoints.tell()
        self.last = checkpoint

    def unsigned(self) -> list[bytes]:
        """The leaves behind the last checkpoint; a crash left them."""
        signed = self._leaves_end
        self._leaves.seek(signed)
        return [line[:-1] for line in self._leaves if line.endswith(b"\n")]

    def drop_unsigned(self) -> None:
        """Remove the leaves behind the last checkpoint."""
        self._leaves.truncate(self._leaves_end)
        self._leaves.seek(self._leaves_end)

    def close(self) -> None:
        self._leaves.close()
        self._checkpoints.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._checkpoints, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogDamaged(f"another process is sealing into {self._files.checkpoints}") from None

    def _read(self, key: VerifierKey) -> None:
        """Read up to the last checkpoint and check all of it."""
        note = next(iter(deque(read_notes(self._files.checkpoints), maxlen=1)), None)
        self._checkpoints_end = self._leaves_end = 0
        if note:
            self.last = self._opened(note.text, key)
            self._check_leaves(self.last)
        elif self._files.leaves.stat().st_size:
            raise LogDamaged(f"{self._files.checkpoints} is gone, and the leaves are there. {RESTORE}")
        self._checkpoints_end = self._checkpoints.seek(note.end if note else 0)
        self._checkpoints.truncate()

    def _opened(self, note: str, key: VerifierKey) -> Checkpoint:
        try:
            checkpoint = Checkpoint.opened(note, key)
        except BadNote as error:
            raise LogDamaged(f"The last checkpoint of {self._files.checkpoints}: {error}. {RESTORE}") from None
        if checkpoint.store != self._files.store:
            raise LogDamaged(f"{self._files.checkpoints} is the log of {checkpoint.store}. {RESTORE}")
        return checkpoint

    def _check_leaves(self, last: Checkpoint) -> None:
        """Rebuild the Merkle root from the leaves and compare it with the signed one."""
        while self.frontier.size < last.size:
            line = self._leaves.readline()
            if not line.endswith(b"\n"):
                missing = f"{self.frontier.size} leaves of the {last.size} that were signed"
                raise LogDamaged(f"{self._files.leaves} has {missing}. {RESTORE}")
            self.frontier.append(leaf_hash(line[:-1]))
        if self.frontier.root() != last.root:
            raise LogDamaged(f"{self._files.leaves} does not hold the {last.size} leaves that were signed. {RESTORE}")
        self._leaves_end = self._leaves.tell()

    def _check_untouched(self) -> None:
        """Raises LogDamaged if another process wrote a file; otherwise the root in memory is that of the files."""
        ends = ((self._files.leaves, self._leaves_end), (self._files.checkpoints, self._checkpoints_end))
        for path, end in ends:
            if not path.exists() or path.stat().st_size != end:
                raise LogDamaged(f"{path} was changed by somebody else. {RESTORE}")


def open_file(path: Path) -> BinaryIO:
    """Open for reading and appending; create a missing file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return os.fdopen(descriptor, "r+b")
