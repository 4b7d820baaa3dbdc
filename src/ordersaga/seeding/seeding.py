"""The seeding of one group: declare its queues, publish window after window, pause the relays for the last, and bind.

A seeding that is killed harms nobody: its locks end with it, the group keeps what it has and receives nothing new, and
the next seeding begins from the beginning; the inbox drops its repeats. The first copy of a message comes from the
seeding or from the relay, in both cases in order: the relays are paused until the group has everything that they may
have published, so what they publish again is a repeat, and what is new is newer.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta

from ordersaga.broker import seeding as bindings
from ordersaga.broker.connecting import connect as connect_broker
from ordersaga.broker.pause_locks import RelaysTaken
from ordersaga.broker.provisioning import queues_to_declare
from ordersaga.broker.topology import QUEUE_COUNTS, Group, is_changing, parameters, queues_of
from ordersaga.database.locks import SEEDING, try_lock
from ordersaga.envelope.message import Message
from ordersaga.parked.operator import Operator
from ordersaga.runtime.sessions import OPERATOR, REPORT, connect
from ordersaga.seeding import record, refusals
from ordersaga.seeding.access import SeedingAccess
from ordersaga.seeding.history import MessageHistory, histories
from ordersaga.seeding.merge import SKEW, CausalMerge
from ordersaga.seeding.pausing import relays_paused, workers_paused
from ordersaga.seeding.progress import SeedingProgress, SeedingResult
from ordersaga.seeding.refusals import SeedingRefused
from ordersaga.seeding.sender import Sender
from ordersaga.seeding.sources import sources_of, without_source
from ordersaga.service import Service

NAME = "ordersaga seed"
INBOX_RETENTION = timedelta(days=30)
MAX_READY = 20_000
"""Messages that may wait in the queues of the group."""
SMALL_WINDOW = 2000
"""A window of fewer messages is followed by the last one, for which the relays are paused."""
MAX_WINDOWS = 50
"""After so many the last window follows, however large it is."""
MAX_PAUSE_SECONDS = 10.0
"""The last window is given up after this time, and tried again after another one."""
MAX_TAKEN_SECONDS = 60.0
"""How long the last window is put off while another command, such as a second seeding, has paused the relays."""
TICK_SECONDS = 0.5


class PauseTooLong(Exception):
    """The last window took too long; the relays continue, and so does the seeding."""


class Seeding:
    """One seeding of one group.

    Args:
        group: the service whose group gets the history.
        services: all services of the application.
        access: the servers.
        operator: who seeds, and why.
        since: publish only what was recorded at or after this time, as if the group had been added then.
        skip_unreadable: leave out events that cannot be announced, in place of raising SeedingRefused.
        max_ready: the most messages that wait in the queues of the group before more are published.
        inbox_retention: how long the inbox remembers what an interrupted seeding published.
        progress: updated meanwhile.
    """

    def __init__(
        self,
        group: Service,
        services: list[Service],
        access: SeedingAccess,
        operator: Operator,
        *,
        since: datetime | None = None,
        skip_unreadable: bool = False,
        max_ready: int = MAX_READY,
        inbox_retention: timedelta = INBOX_RETENTION,
        progress: SeedingProgress | None = None,
    ) -> None:
        self._service = group
        self._sources = sources_of(group, services)
        self._access = access
        self._operator = operator
        self._since = since
        self._skip_unreadable = skip_unreadable
        self._max_ready = max_ready
        self._inbox_retention = inbox_retention
        self._progress = progress or SeedingProgress()
        self._histories: list[MessageHistory] = []
        self._alive: list[Callable[[], object]] = []
        self._tick_at = 0.0
        self._taken_since = 0.0
        """When another command had paused the relays that are to be paused for the last window."""
        self.result = SeedingResult(group.group, False, since)
        self.result.without_source = without_source(group, self._sources)
        self.result.without_events = sorted({name for source in self._sources for name in source.without_events})

    def count(self) -> SeedingResult:
        """Derive all messages that the group would get, and publish none. Raises SeedingRefused, psycopg.Error."""
        refusals.require_group(self._service, self._sources)
        self.result.dry_run = self._skip_unreadable = True
        with self._timed(), self._open_stores():
            self._progress.begin("count")
            merge = self._merge()
            self._open_window()
            for dated in merge.until(None):
                self.result.count(dated.message.contract, dated.message.time)
        return self.result

    def run(self) -> SeedingResult:
        """Seed the group.

        Raises:
            SeedingRefused: it cannot be seeded; nothing was changed, or the text says what.
            ChangeFailed: relays or workers could not be paused.
            NotTaken, BrokerUnavailable, AMQPError: the broker is away or refuses.
            psycopg.Error: a database is away or not migrated.
        """
        refusals.require_group(self._service, self._sources)
        with ExitStack() as opened:
            opened.enter_context(self._timed())
            self._group_database = opened.enter_context(connect(self._access.group, NAME, OPERATOR))
            self._take_lock()
            self._broker = opened.enter_context(closing(connect_broker(parameters(self._access.amqp_url, NAME))))
            self._group = self._prepare()
            opened.enter_context(self._open_stores())
            self._publish(opened)
        return self.result

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.result.seconds = time.monotonic() - began
        self.result.events = sum(history.rows for history in self._histories)
        self.result.windows = self._progress.windows

    def _take_lock(self) -> None:
        if not try_lock(self._group_database, SEEDING):
            raise SeedingRefused(f"Another command seeds {self._service.group}. Wait until it has ended.")

    def _prepare(self) -> Group:
        """Declare the group, bound to its own exchange alone; unbind and empty its queues if it has some."""
        self._progress.begin("declare")
        name, found = self._service.group, queues_of(self._broker, self._service.group)
        if is_changing(self._broker, name) or (found and len(found) not in QUEUE_COUNTS):
            raise SeedingRefused(f"The number of queues of {name} is being changed: complete that with `queues set`.")
        group = self._service.consumer_group(queues_to_declare(len(found), self._access.queues, name))
        refusals.require_attached(name, self._sources, self._access.stores)
        paused = workers_paused(self._service.name, self._access.group)
        with paused, self._relays_paused() if found else ExitStack():
            if record.is_being_seeded(self._group_database):
                refusals.require_recent(name, record.begun(self._group_database), self._inbox_retention)
            else:
                refusals.require_new(name, record.received(self._group_database))
            record.begin(self._group_database, self._operator, self._since)
            if found:
                bindings.unbind_and_empty(self._broker, group, found)
        bindings.declare(self._broker, group)
        return group

    @contextmanager
    def _relays_paused(self) -> Iterator[Callable[[], None]]:
        with relays_paused((source.name for source in self._sources), self._access.leads) as keep_locks:
            self._alive.append(keep_locks)
            try:
                yield keep_locks
            finally:
                self._alive.remove(keep_locks)

    @contextmanager
    def _open_stores(self) -> Iterator[None]:
        with ExitStack() as opened:
            for source in self._sources:
                store = opened.enter_context(connect(self._access.stores[source.name], NAME, REPORT))
                self._histories += histories(source, store, self._since, self._unreadable)
            yield

    def _unreadable(self, event: str) -> None:
        if not self._skip_unreadable:
            raise SeedingRefused(
                f"This version cannot announce an event: {event}\n"
                "Run the command again in a version that can, or with --skip-unreadable, which leaves such events out. "
                f"Until then {self._service.group} receives nothing new; everything else goes on."
            )
        self.result.unreadable.append(event)
        self._progress.unreadable += 1

    def _merge(self) -> CausalMerge:
        return CausalMerge(self._histories, self._tick)

    def _publish(self, opened: ExitStack) -> None:
        self._sender = Sender(self._access.amqp_url, self._group, self._broker, self._max_ready)
        opened.enter_context(closing(self._sender))
        self._sender.connect()
        self._alive += [self._sender.keep_alive, lambda: self._group_database.execute("")]
        merge = self._merge()
        while True:
            messages = self._window(merge)
            if self._is_last(messages) and self._last_window(merge):
                return

    def _is_last(self, messages: int) -> bool:
        """Whether the last window follows one of so many messages."""
        return messages < SMALL_WINDOW or self._progress.windows >= MAX_WINDOWS

    def _window(self, merge: CausalMerge) -> int:
        """Publish what the stores have now, but for the last second, in which clocks decide nothing."""
        self._progress.begin("publish")
        clock, before = self._open_window(), self.result.messages
        for dated in merge.until(clock - SKEW):
            self._sender.await_room(self._wait)
            self._send(dated.message)
        self._sender.flush()
        return self.result.messages - before

    def _last_window(self, merge: CausalMerge) -> bool:
        """Publish the rest while the relays are paused, and bind the group. Returns False if that took too long.

        No message that is recorded meanwhile has caused another one: it is not published yet.
        """
        self._progress.begin("bind")
        began = time.monotonic()
        try:
            with self._relays_paused() as keep_locks:
                self._open_window()
                for dated in merge.until(None):
                    self._send(dated.message)
                    self._check_pause(began)
                self._sender.flush()
                self._check_pause(began)
                bindings.bind_to_events(self._broker, self._group)
                keep_locks()
                bindings.unmark(self._broker, self._group.name)
                record.complete(self._group_database, self._operator, self._since, self.result.messages)
        except PauseTooLong:
            return False
        except RelaysTaken:
            self._taken_since = self._taken_since or began
            if began - self._taken_since > MAX_TAKEN_SECONDS:
                raise
            time.sleep(TICK_SECONDS)
            return False
        self.result.paused_seconds = time.monotonic() - began
        return True

    def _check_pause(self, began: float) -> None:
        if time.monotonic() - began > MAX_PAUSE_SECONDS:
            self._sender.flush()
            raise PauseTooLong

    def _open_window(self) -> datetime:
        """Begin the next window of every history. Returns the earliest of the servers' clocks."""
        self._progress.windows += 1
        return min(history.open_window() for history in self._histories)

    def _send(self, message: Message) -> None:
        self._sender.send(message)
        self.result.count(message.contract, message.time)

    def _wait(self, ready: int) -> None:
        """While too many messages wait in the group's queues."""
        self._progress.ready = ready
        self._tick()
        self._progress.ready = 0

    def _tick(self) -> None:
        """Twice a second at most: keep every session alive, and show the progress."""
        if time.monotonic() < self._tick_at:
            return
        self._tick_at = time.monotonic() + TICK_SECONDS
        for keep_alive in self._alive:
            keep_alive()
        progress = self._progress
        progress.events = sum(history.rows for history in self._histories)
        progress.done = sum(history.position for history in self._histories)
        progress.total = sum(history.last for history in self._histories)
        progress.messages = self.result.messages
        progress.show(progress)
