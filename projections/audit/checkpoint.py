"""What is signed after each window: how many events a store had, and the root over all of them."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from ordersaga.database import snapshot_window as window
from projections.audit.note import BadNote, VerifierKey

ORIGIN = "ordersaga/"


class Snapshot(NamedTuple):
    """A `pg_snapshot` as text, that Python can ask too."""

    text: str

    @property
    def end(self) -> int:
        """The first transaction id that was not given out yet."""
        return int(self.text.split(":")[1])

    def sees(self, xid: int) -> bool:
        begin, end, under_way = self.text.split(":")
        return xid < int(begin) or (xid < int(end) and str(xid) not in under_way.split(","))


NOTHING = Snapshot(window.NOTHING)


@dataclass(frozen=True)
class Checkpoint:
    """C2SP tlog-checkpoint, with three extension lines: of when it is, of which server, and what was visible."""

    store: str
    size: int
    root: bytes
    time: datetime
    """Before the snapshot was taken."""
    server: str
    """The system identifier: a snapshot means nothing on another server."""
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
        """Raises BadNote: malformed, or not signed with this key."""
        return cls.parse(key.open(note))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Raises BadNote."""
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
