"""Seals what a store has recorded: window by window into the log, and a signed checkpoint behind each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection, IsolationLevel

from ordersaga.runtime.logs import log
from projections.audit import store
from projections.audit.checkpoint import NOTHING, Checkpoint, Snapshot
from projections.audit.leaf import Leaf
from projections.audit.log import RESTORE, Log, LogDamaged, LogFiles, read_leaves
from projections.audit.note import Signer
from projections.audit.positions import Positions

HEARTBEAT = timedelta(minutes=10)
"""A quiet store is signed anew after so long: what is put into it later with an older time is then known by it."""


class Sealer:
    """Of one store, over a connection in autocommit that may read its events."""

    def __init__(self, files: LogFiles, signer: Signer, connection: Connection[Any]) -> None:
        """Goes on behind the last checkpoint; a log that is not there is begun.

        Raises:
            LogDamaged: the log is not as it was signed; nothing is sealed until it is.
        """
        self.store = files.store
        self._files = files
        self._signer = signer
        self._connection = connection
        store.prepare(connection)
        self._sealed = Positions()
        self._log = Log(files, signer.verifier)
        try:
            self._begin()
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> "Sealer":
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    @property
    def size(self) -> int:
        """How many events are sealed."""
        return self._last.size

    def seal(self) -> int:
        """Seal what was recorded since the last window; returns how many events that were."""
        began, now = datetime.now(UTC), store.moment(self._connection)
        with self._window(now) as (snapshot, positions):
            before = self._log.frontier.size
            for start in range(0, len(positions), store.PAGE):
                page = store.events_at(self._connection, positions[start : start + store.PAGE])
                self._log.append([event.leaf.line() for event in page])
                for event in page:
                    self._sealed.add(event.position)
            sealed = self._log.frontier.size - before
        if sealed or began - self._last.time > HEARTBEAT or self._last.server != now.server:
            self._sign(began, now.server, snapshot)
        return sealed

    @property
    def _last(self) -> Checkpoint:
        assert self._log.last is not None
        return self._log.last

    def _begin(self) -> None:
        """The first checkpoint is over nothing, so that leaves without any were not left by a crash."""
        if self._log.last is None:
            self._sign(datetime.now(UTC), store.moment(self._connection).server, NOTHING)
        elif unsigned := self._log.unsigned():
            self._compare(unsigned)
            log.warning("leaves that a crash left without a checkpoint are sealed again", store=self.store)
        self._log.forget_unsigned()
        for line in read_leaves(self._files.leaves):
            self._sealed.add(Leaf.parse(line).position)

    def _compare(self, lines: list[bytes]) -> None:
        """Leaves behind the last checkpoint must still be what the store says, or a checkpoint has been taken away."""
        for start in range(0, len(lines), store.PAGE):
            page = lines[start : start + store.PAGE]
            try:
                wanted = [Leaf.parse(line).position for line in page]
            except ValueError as error:
                raise LogDamaged(f"{self._files.leaves} ends with what is not a leaf: {error}. {RESTORE}") from None
            stored = {event.leaf.line() for event in store.events_at(self._connection, wanted)}
            for line in page:
                if line not in stored:
                    raise LogDamaged(
                        f"The store {self.store} no longer has what stands behind the last checkpoint of "
                        f"{self._files.leaves}: {line.decode()}. {RESTORE}"
                    )

    @contextmanager
    def _window(self, now: store.Moment) -> Iterator[tuple[Snapshot, list[int]]]:
        """What is to be sealed: by snapshot, or all that is not sealed yet where the snapshot means nothing."""
        last = self._last
        if last.size and last.server == now.server and last.snapshot.end <= now.snapshot.end:
            snapshot, found = store.window(self._connection, last.snapshot)
            # Rows of another server come with its transaction ids, to which this one's may come later.
            yield snapshot, [position for position in found if position not in self._sealed]
            return
        if last.size:
            log.warning("restored, or from another server: sealing what is not sealed yet", store=self.store)
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with self._connection.transaction():
                snapshot = store.moment(self._connection).snapshot
                found = [each for each in store.positions(self._connection) if each not in self._sealed]
                yield snapshot, found
        finally:
            self._connection.isolation_level = None

    def _sign(self, time: datetime, server: str, snapshot: Snapshot) -> None:
        """`time` is before the snapshot was taken: sealing a large window takes minutes, and others go on meanwhile."""
        frontier = self._log.frontier
        checkpoint = Checkpoint(self.store, frontier.size, frontier.root(), time, server, snapshot)
        self._log.sign(checkpoint, self._signer.sign(str(checkpoint)))
