"""Run: one schedule, from an empty outbox until all has healed and arrived, with what must hold all the while."""

from collections.abc import Iterable, Sequence
from typing import Any

from ordersaga.broker.topology import Group
from ordersaga.relay import dispatch, undeliverable
from ordersaga.relay.relay import Relay
from ordersaga.relay.window import Cursor
from tests.simulation import installed, publisher
from tests.simulation.broker import STRANGER, Broker, Channel
from tests.simulation.postgres import Postgres, Version
from tests.simulation.relay_statements import has_passed
from tests.simulation.rows import OutboxRow, message_of, outbox_row
from tests.simulation.schedule_run import ScheduleRun, Violated, play
from tests.simulation.stand_ins import Event
from tests.simulation.steps import RELAYS, WRITERS, Step
from tests.simulation.world import World

GROUPS = (
    Group("both", ("test.happened.v1",), 2),
    Group("one", ("test.happened.v1", "test.noted.v1", "test.unbound.v1"), 1),
)
UNBOUND = "test.unbound.v1"
STOP_SECONDS = 15.0


class Run(ScheduleRun):
    """The two servers, some writers and relays, and the steps that a schedule takes with them."""

    must_end = "not everything arrives"

    def __init__(self, world: World, postgres: Postgres, broker: Broker) -> None:
        super().__init__(world, postgres)
        self.broker = broker
        installed.use(self.postgres)
        publisher.use(self.broker)
        self.writers = [self.postgres.open() for _ in range(WRITERS)]
        self._stops: dict[str, Event] = {}
        self._numbers = 0
        self._checked: Version | None = None
        self._arrived: set[int] = set()
        """Positions that every queue has."""

    # Writers.

    def write(self, writer: int, keys: str, contract: str) -> None:
        """Announce something of each of these keys."""
        for key in keys:
            self.announce(writer, key, contract)

    def announce(self, writer: int, key: str, contract: str) -> None:
        """Write one row; while another transaction has one of the key, this one would wait."""
        backend = self.writers[writer]
        rows = [version.row for version in self.postgres.tables.get("outbox", ()) if version.row.message.key == key]
        if any(row.xid in self.postgres.running and row.xid != backend.transaction.xid for row in rows):
            return
        self.touch(writer)
        self._numbers += 1
        sequence = sum(row.xid == backend.xid or self.postgres.is_committed(row.xid) for row in rows)
        message = message_of(self._numbers, key, sequence, contract)
        backend.insert("outbox", outbox_row(self.postgres.next_value("outbox"), backend.xid, message))

    def touch(self, writer: int) -> None:
        """Begin, and take a transaction id."""
        self.writers[writer].begin()
        _ = self.writers[writer].xid

    def commit(self, writer: int, rings: bool) -> None:
        self.writers[writer].end(commits=True)
        if rings:
            self.postgres.rung += 1

    def roll_back(self, writer: int) -> None:
        self.writers[writer].end(commits=False)

    def stranger(self) -> None:
        self.postgres.stranger()

    # Relays.

    def start(self, host: str) -> None:
        if self.world.of_host(host):
            return
        groups = {group.name: group.contracts for group in GROUPS}
        stop: Any = Event()
        self._stops[host] = stop
        relay = Relay(host, "", "amqp://simulated", stop, False, 1e9, 100, groups, None)
        self.world.spawn("relay", relay.run, host)

    def stop(self, host: str) -> None:
        """SIGTERM. It ends soon, whatever the broker does."""
        if host in self._stops:
            self._stops[host].set()
        end = self.world.now + STOP_SECONDS
        while self.world.of_host(host):
            if not self.round():
                self.world.now = min(task.wake_at for task in self.world.tasks)
            if self.world.now > end:
                raise Violated(f"{host} was told to stop {STOP_SECONDS} seconds ago and works on")

    def cut_channel(self, host: str, kept: int = 1) -> None:
        for channel in [channel for channel in self.broker.channels if channel.owner == host]:
            self.broker.lose(channel, kept)

    def crash(self, lost: int) -> None:
        self.postgres.crash(lost)
        self.writers = [self.postgres.open() for _ in range(WRITERS)]
        self._checked = None

    def flush(self) -> None:
        self.postgres.flush()

    # The broker.

    def _channel(self, number: int) -> Channel | None:
        channels = self.broker.channels
        return channels[number % len(channels)] if channels else None

    def take(self, number: int, count: int, slow: Sequence[str]) -> None:
        if channel := self._channel(number):
            self.broker.take(channel, count, slow)

    def store(self, queue: str, count: int) -> None:
        self.broker.store(self.broker.queues[queue], count)

    def confirm(self, number: int, count: int, how: str) -> None:
        if channel := self._channel(number):
            due = channel.due()
            channel.confirm(due[-count:] if how == "last" else due[:count], multiple=how == "multiple")

    def suspend(self, queue: str) -> None:
        self.broker.queues[queue].is_suspended = True

    def resume(self, queue: str) -> None:
        self.broker.resume(self.broker.queues[queue])

    def fill(self, queue: str) -> None:
        self.broker.queues[queue].is_full = True

    def empty(self, queue: str) -> None:
        self.broker.queues[queue].is_full = False

    def bind(self) -> None:
        self.broker.bind_all()

    def go_on(self, seconds: float) -> None:
        """Let everything go on for so long, but for what is broken."""
        end = self.world.now + seconds
        while self.world.now < end:
            if not self.round():
                self.world.now = min([end, *(task.wake_at for task in self.world.tasks)])

    # The end.

    def heal(self) -> None:
        """End every fault, and commit what is open."""
        for number in range(WRITERS):
            self.commit(number, rings=False)
        for queue in self.broker.queues.values():
            queue.is_full = False
            self.broker.resume(queue)
        self.bind()
        self.start(RELAYS[0])

    def serve(self) -> bool:
        has_moved = False
        for queue in self.broker.queues.values():
            self.broker.store(queue, len(queue.held))
        for channel in list(self.broker.channels):
            if channel.sent or channel.due():
                has_moved = True
                self.broker.take(channel, len(channel.sent))
                channel.confirm(channel.due(), multiple=True)
        return has_moved

    @property
    def is_drained(self) -> bool:
        cursor = self.cursor
        if cursor is None or any(self.postgres.committed("undeliverable")):
            return False
        if any(self.postgres.committed("detached_queues")):
            return False
        return all(has_passed(cursor, row) for row in self.postgres.committed("outbox"))

    def rest(self) -> str:
        refused = [(each.row.position, each.kind) for each in self.postgres.committed("undeliverable")]
        left = {"undeliverable": refused, "detached": [row.queue for row in self.postgres.committed("detached_queues")]}
        cursor = self.cursor
        waiting = [row.position for row in self.outbox if cursor is None or not has_passed(cursor, row)]
        return f"cursor {cursor}, not passed {waiting}, {left}"

    # What must hold.

    @property
    def cursor(self) -> Cursor | None:
        return next(self.postgres.committed("relay_cursor"), None)

    @property
    def outbox(self) -> list[OutboxRow]:
        return sorted(self.postgres.committed("outbox"))

    def check(self) -> None:
        """The cursor has passed no row that is not committed, nor one that some queue lacks without a record of it."""
        versions = self.postgres.tables.get("relay_cursor")
        if not versions or versions[-1] is self._checked:
            return
        self._checked, cursor = versions[-1], versions[-1].row
        self.check_bound()
        for version in self.postgres.tables.get("outbox", ()):
            row: OutboxRow = version.row
            is_open = row.position not in self._arrived and version.xmin not in self.postgres.aborted
            if is_open and has_passed(cursor, row):
                self.check_passed(row, cursor)

    def check_bound(self) -> None:
        """The table of undeliverable messages has a bound; what was read ahead may come on top of it."""
        most = undeliverable.MAX_ROWS + dispatch.MAX_READ_AHEAD
        if (count := sum(1 for _ in self.postgres.committed("undeliverable"))) > most:
            raise Violated(f"{count} messages are undeliverable, of at most {most}")

    def check_passed(self, row: OutboxRow, cursor: Cursor) -> None:
        if row.xid in self.postgres.running:
            raise Violated(f"the cursor {cursor} has passed row {row.position}, whose transaction is open")
        if any(refused.row.position == row.position for refused in self.postgres.committed("undeliverable")):
            return
        queues = self.broker.queues_for(row.message)
        lacking = {queue.name for queue in queues if row.message.id not in queue.ids}
        if detached := {each.queue for each in self.postgres.committed("detached_queues")}:
            lacking -= {*detached, STRANGER}
        if lacking:
            raise Violated(f"the cursor {cursor} has passed row {row.position}, which {sorted(lacking)} lacks")
        if all(row.message.id in queue.ids for queue in queues):
            self._arrived.add(row.position)

    def check_end(self) -> None:
        """Every queue has every committed row of its contracts, no other, and each key in order."""
        committed = {row.message.id: row for row in self.outbox}
        for queue in self.broker.queues.values():
            if invented := queue.ids - committed.keys():
                raise Violated(f"{queue.name} has {invented}, which nobody committed")
        for row in committed.values():
            for queue in self.broker.queues_for(row.message):
                if row.message.id not in queue.ids:
                    raise Violated(f"{queue.name} lacks row {row.position}")
        for queue in self.broker.queues.values():
            check_order(queue.name, [committed[message.id] for message in queue.messages])


def check_order(queue: str, rows: Iterable[OutboxRow]) -> None:
    """The first copies of a key come in the order in which they were committed."""
    last: dict[str, int] = {}
    seen: set[int] = set()
    for row in rows:
        if row.position in seen:
            continue
        seen.add(row.position)
        if row.position < last.get(row.message.key, 0):
            raise Violated(f"in {queue} row {row.position} comes behind {last[row.message.key]} of its key")
        last[row.message.key] = row.position


def run(steps: Sequence[Step], seed: int, postgres: Postgres | None = None, broker: Broker | None = None) -> Run:
    """Run a schedule; the seed decides what the product leaves to chance. Raises Violated."""
    return play(lambda world: Run(world, postgres or Postgres(), broker or Broker(GROUPS, [UNBOUND])), steps, seed)
