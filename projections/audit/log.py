"""The files of one store's log, outside every database: a leaf a line, and behind each window a signed checkpoint."""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from projections.audit.checkpoint import Checkpoint
from projections.audit.merkle import Frontier, leaf_hash
from projections.audit.note import BadNote, VerifierKey

OWNER_ONLY = 0o600
RESTORE = "Nothing more is sealed until it is put right: restore the file from a copy, or move all of them away."


class LogDamaged(Exception):
    """The files are not as they were signed; the text says which and what to do."""


@dataclass(frozen=True)
class LogFiles:
    """Where the log of a store lies."""

    directory: Path
    store: str

    @property
    def leaves(self) -> Path:
        return self.directory / f"{self.store}.leaves"

    @property
    def checkpoints(self) -> Path:
        return self.directory / f"{self.store}.checkpoints"


def read_leaves(path: Path) -> Iterator[bytes]:
    """Whole lines, without their ends; what a crash left of one is not a line."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


class Note(NamedTuple):
    """A signed note, and where it ends in its file."""

    text: str
    end: int


def read_notes(path: Path) -> Iterator[Note]:
    """Each is a text, a blank line and signatures; another blank line ends it. An unfinished one is left out."""
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
    return files.checkpoints.exists() or files.leaves.exists()


class Log:
    """The log, opened by the one process that appends to it."""

    def __init__(self, files: LogFiles, key: VerifierKey) -> None:
        """Raises LogDamaged: in use by another process, or not as it was signed."""
        files.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._name = files
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
        """Add leaves; they are kept with the next checkpoint."""
        self._check_untouched()
        self._leaves.write(b"".join(line + b"\n" for line in lines))
        self._leaves.flush()
        self._leaves_end = self._leaves.tell()
        for line in lines:
            self.frontier.append(leaf_hash(line))

    def sign(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a signed checkpoint over all leaves; they are on the disk before it is.

        Raises:
            LogDamaged: somebody else has written to the files.
        """
        self._check_untouched()
        os.fsync(self._leaves.fileno())
        self._checkpoints.write(f"{note}\n".encode())
        self._checkpoints.flush()
        os.fsync(self._checkpoints.fileno())
        self._checkpoints_end = self._checkpoints.tell()
        self.last = checkpoint

    def unsigned(self) -> list[bytes]:
        """The leaves behind the last checkpoint, which a crash left there."""
        signed = self._leaves_end
        self._leaves.seek(signed)
        return [line[:-1] for line in self._leaves if line.endswith(b"\n")]

    def forget_unsigned(self) -> None:
        self._leaves.truncate(self._leaves_end)
        self._leaves.seek(self._leaves_end)

    def close(self) -> None:
        self._leaves.close()
        self._checkpoints.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._checkpoints, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogDamaged(f"another process is sealing into {self._name.checkpoints}") from None

    def _read(self, key: VerifierKey) -> None:
        """Up to the last checkpoint, all of which must be as it was signed."""
        note = next(iter(deque(read_notes(self._name.checkpoints), maxlen=1)), None)
        self._checkpoints_end = self._leaves_end = 0
        if note:
            self.last = self._opened(note.text, key)
            self._count(self.last)
        elif self._name.leaves.stat().st_size:
            raise LogDamaged(f"{self._name.checkpoints} is gone, and the leaves are there. {RESTORE}")
        self._checkpoints_end = self._checkpoints.seek(note.end if note else 0)
        self._checkpoints.truncate()

    def _opened(self, note: str, key: VerifierKey) -> Checkpoint:
        try:
            checkpoint = Checkpoint.opened(note, key)
        except BadNote as error:
            raise LogDamaged(f"The last checkpoint of {self._name.checkpoints}: {error}. {RESTORE}") from None
        if checkpoint.store != self._name.store:
            raise LogDamaged(f"{self._name.checkpoints} is the log of {checkpoint.store}. {RESTORE}")
        return checkpoint

    def _count(self, last: Checkpoint) -> None:
        """Build the tree anew from the leaves, and compare it with what was signed."""
        while self.frontier.size < last.size:
            line = self._leaves.readline()
            if not line.endswith(b"\n"):
                missing = f"{self.frontier.size} leaves of the {last.size} that were signed"
                raise LogDamaged(f"{self._name.leaves} has {missing}. {RESTORE}")
            self.frontier.append(leaf_hash(line[:-1]))
        if self.frontier.root() != last.root:
            raise LogDamaged(f"{self._name.leaves} does not hold the {last.size} leaves that were signed. {RESTORE}")
        self._leaves_end = self._leaves.tell()

    def _check_untouched(self) -> None:
        """The tree in memory is the one that was signed, so what is signed next continues it, if the files are ours."""
        ends = ((self._name.leaves, self._leaves_end), (self._name.checkpoints, self._checkpoints_end))
        for path, end in ends:
            if not path.exists() or path.stat().st_size != end:
                raise LogDamaged(f"{path} was changed by somebody else. {RESTORE}")


def open_file(path: Path) -> BinaryIO:
    """For reading and appending; made where it is missing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return os.fdopen(descriptor, "r+b")
