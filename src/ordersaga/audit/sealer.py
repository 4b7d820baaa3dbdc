"""The sealer: appends the new events of a store to its log window by window, and signs a checkpoint after each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from psycopg import Connection, IsolationLevel

from ordersaga.audit import store
from ordersaga.audit.checkpoint import EMPTY_SNAPSHOT, Checkpoint, Snapshot
from ordersaga.audit.leaf import Leaf
from ordersaga.audit.note import Signer
from ordersaga.audit.positions import PositionSet
from ordersaga.audit.sealed_log import RESTORE, LogDamaged, LogFiles, SealedLog, read_leaves
from ordersaga.runtime import failpoints
from ordersaga.runtime.logs import log

HEARTBEAT = timedelta(minutes=10)
"""A store without new events is signed again after this time; that reveals events inserted later with older times."""


class StoreSealer:
    """The sealer of one store; needs a connection in autocommit that may read the events."""

    def __init__(self, files: LogFiles, signer: Signer, connection: Connection[Any]) -> None:
        """Continue after the last checkpoint; create the log if it does not exist.

        Raises:
            LogDamaged: the log differs from what was signed, so nothing may be appended to it.
        """
        self.store = files.store
        self._files = files
        self._signer = signer
        self._connection = connection
        store.prepare(connection)
        self._sealed = PositionSet()
        self._log = SealedLog(files, signer.verifier)
        try:
            self._begin()
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> "StoreSealer":
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    @property
    def size(self) -> int:
        """The number of sealed events."""
        return self._last.size

    def seal(self) -> int:
        """Seal the events recorded since the last window. Returns their number."""
        began, now = datetime.now(UTC), store.moment(self._connection)
        with self._window(now) as (snapshot, positions):
            before = self._log.frontier.size
            for start in range(0, len(positions), store.PAGE):
                page = store.events_at(self._connection, positions[start : start + store.PAGE])
                failpoints.reach("seal.before-append")
                self._log.append([event.leaf.line() for event in page])
                failpoints.reach("seal.appended")
                for event in page:
                    self._sealed.add(event.position)
            sealed = self._log.frontier.size - before
        if sealed or began - self._last.time > HEARTBEAT or self._last.server != now.server:
            self._sign(began, now.server, snapshot)
            failpoints.reach("seal.signed")
        return sealed

    @property
    def _last(self) -> Checkpoint:
        assert self._log.last is not None
        return self._log.last

    def _begin(self) -> None:
        """Sign a first checkpoint over no leaf, so that leaves without any checkpoint are damage, not a crash."""
        if self._log.last is None:
            self._sign(datetime.now(UTC), store.moment(self._connection).server, EMPTY_SNAPSHOT)
        elif unsigned := self._log.unsigned():
            self._check_unsigned(unsigned)
            log.warning("leaves that a crash left without a checkpoint are sealed again", store=self.store)
        self._log.drop_unsigned()
        for line in read_leaves(self._files.leaves):
            self._sealed.add(Leaf.parse(line).position)

    def _check_unsigned(self, lines: list[bytes]) -> None:
        """Leaves after the last checkpoint must equal the store's events; otherwise a checkpoint was removed."""
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
    def _window(self, now: store.ServerMoment) -> Iterator[tuple[Snapshot, list[int]]]:
        """The positions to seal: new since the last snapshot, or all unsealed ones after a restore."""
        last = self._last
        if last.size and last.server == now.server and last.snapshot.end <= now.snapshot.end:
            snapshot, found = store.window(self._connection, last.snapshot)
            # Rows restored from another server carry its transaction ids, which this server may assign later.
            known = {position for position in found if position in self._sealed}
            new = [position for position in found if position not in known]
            yield snapshot, sorted(new + self._replaced(known)) if known else new
            return
        if last.size:
            log.warning("the database was restored or moved: sealing every unsealed event", store=self.store)
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with self._connection.transaction():
                snapshot = store.moment(self._connection).snapshot
                found = [each for each in store.positions(self._connection) if each not in self._sealed]
                yield snapshot, sorted(found + self._replaced(self._sealed))
        finally:
            self._connection.isolation_level = None

    def _replaced(self, positions: set[int] | PositionSet) -> list[int]:
        """Of these positions, all sealed, those where an event stands now that is not: the sealed one was lost.

        A server that has lost its last commits, or was restored, gives their positions again. Reads the whole log.
        """
        sealed, other = PositionSet(), set[int]()
        leaves = (Leaf.parse(line) for line in read_leaves(self._files.leaves))
        while page := list(islice(leaves, store.PAGE)):
            names = {(leaf.originator_id, leaf.version) for leaf in page}
            wanted = [leaf.position for leaf in page if leaf.position in positions]
            for event in store.events_at(self._connection, wanted):
                if (event.originator_id, event.version) in names:
                    sealed.add(event.position)
                else:
                    other.add(event.position)
        return [position for position in other if position not in sealed]

    def _sign(self, time: datetime, server: str, snapshot: Snapshot) -> None:
        """`time` is a moment before the snapshot: sealing a large window takes minutes, while services record."""
        frontier = self._log.frontier
        checkpoint = Checkpoint(self.store, frontier.size, frontier.root(), time, server, snapshot)
        self._log.sign(checkpoint, self._signer.sign(str(checkpoint)))
