"""The checkpoint, signed after each window: the number of events of a store, and the Merkle root over them."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from ordersaga.audit.note import BadNote, VerifierKey
from ordersaga.database import snapshot_window as window

ORIGIN = "ordersaga/"


class Snapshot(NamedTuple):
    """A `pg_snapshot` as text; `sees` evaluates it in Python."""

    text: str

    @property
    def end(self) -> int:
        """The first transaction id that was not assigned yet."""
        return int(self.text.split(":")[1])

    def sees(self, xid: int) -> bool:
        """Whether the transaction was committed when the snapshot was taken."""
        begin, end, under_way = self.text.split(":")
        return xid < int(begin) or (xid < int(end) and str(xid) not in under_way.split(","))


EMPTY_SNAPSHOT = Snapshot(window.EMPTY_SNAPSHOT)


@dataclass(frozen=True)
class Checkpoint:
    """C2SP tlog-checkpoint with three extension lines: time, server, and snapshot."""

    store: str
    size: int
    root: bytes
    time: datetime
    """A moment before the snapshot was taken."""
    server: str
    """The system identifier and the timeline; a snapshot is valid there alone."""
    snapshot: Snapshot

    def __str__(self) -> str:
        lines = (
            ORIGIN + self.store,
            self.size,
            b64encode(self.root).decode(),
            f"time {self.time.astimezone(UTC).isoformat()}",
            f"server {self.server}",
            f"snapshot {self.snapshot.text}",
        )
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def opened(cls, note: str, key: VerifierKey) -> "Checkpoint":
        """The checkpoint in a signed note. Raises BadNote: malformed, or not signed with this key."""
        return cls.parse(key.open(note))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint in the text of a note. Raises BadNote: not in its one exact form."""
        try:
            origin, size, root, *lines = text.splitlines()
            extensions = dict(line.split(" ", 1) for line in lines)
            checkpoint = cls(
                origin.removeprefix(ORIGIN),
                int(size),
                b64decode(root, validate=True),
                datetime.fromisoformat(extensions["time"]),
                extensions["server"],
                Snapshot(extensions["snapshot"]),
            )
        except (ValueError, KeyError) as error:
            raise BadNote(f"it is not a checkpoint of an event store: {error!r}") from None
        if str(checkpoint) != text:
            raise BadNote("it is not a checkpoint in its one exact form")
        return checkpoint


@dataclass
class KeptCheckpoints:
    """Checkpoints that an auditor keeps elsewhere, by store and size."""

    checkpoints: dict[tuple[str, int], Checkpoint] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Iterable[str], key: VerifierKey) -> "KeptCheckpoints":
        """Raises BadNote: a note is not a checkpoint, or not signed with this key."""
        opened = [Checkpoint.opened(note, key) for note in notes]
        return cls({(checkpoint.store, checkpoint.size): checkpoint for checkpoint in opened})
