"""The loop of a consumer group: take a batch of messages, handle it in the database, acknowledge it."""

import random
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pika.exceptions import AMQPError
from psycopg import Connection

from ordersaga.consumer import gate, sharing
from ordersaga.consumer.intake import Intake
from ordersaga.consumer.key_queues import KeyQueues
from ordersaga.consumer.pausing import Pausing
from ordersaga.consumer.receiver import MAX_BATCH, MAX_BATCH_BYTES, Receiver, runs
from ordersaga.inbox.delivery import Broken, Received
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.runtime import failpoints
from ordersaga.runtime.errors import ErrorKind, classify
from ordersaga.runtime.links import DatabaseLink, Link
from ordersaga.runtime.logs import log

MIN_BATCH = 50
"""A smaller batch waits `linger_seconds` of its handler for more; a worker with a backlog never waits."""
IDLE_SECONDS = 0.2
DRAINING_SECONDS = 0.02
"""Longest wait for messages while a queue is drained."""
LOOK_SECONDS = 0.6
"""Between two looks whether the group is paused or its gate wanted, on average."""
PAUSED_SECONDS = 0.3
"""Between two looks while the group is paused."""
GRACE_SECONDS = 10
"""Longest time to handle the messages in hand when the worker stops."""
TRANSIENT = (ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT, ErrorKind.LOCKED, ErrorKind.TOO_LARGE)
"""Errors after which the worker continues: they may also hit a statement without a reaction, such as parking.

That is never too large itself: another session has all the locks, or the machine is so busy that a time limit passes.
"""


def continues_after(error: BaseException) -> bool:
    """Whether the worker tries again; any other error ends it."""
    return classify(error) in TRANSIENT


class Stopped(Exception):
    """The worker has to stop while the database is unavailable."""


class Consumer:
    """Runs in one thread, the only one that uses the broker's connection."""

    def __init__(
        self,
        group: str,
        amqp_url: str,
        receiver: Receiver,
        outside: OutsideSteps,
        database: DatabaseLink,
        stopping: threading.Event,
    ) -> None:
        self.group = group
        self.amqp_url = amqp_url
        self.receiver = receiver
        self.outside = outside
        self.database = database
        self.broker = Link("broker")
        self.stopping = stopping
        self.gate_is_wanted = False
        self.pausing = Pausing(group)
        self.releases = sharing.Releases()
        self.next_check = self.next_look = 0.0

    def run(self) -> None:
        """Consume until `stopping` is set; reconnect whenever a server comes back."""
        while not self.stopping.is_set():
            try:
                self.await_database()
                if self.await_resume():
                    self.consume(Intake(self.group, self.amqp_url))
            except Stopped:
                return
            except (AMQPError, OSError) as error:
                self.broker.down(error)
                self.stopping.wait(self.broker.pause())
            finally:
                self.database.close()

    def await_database(self) -> None:
        """Wait before subscribing, because each delivery counts towards the broker's delivery limit.

        Raises:
            Stopped: `stopping` was set first.
        """
        while True:
            try:
                self.database.connection()
                return self.database.up()
            except Exception as error:
                if not continues_after(error):
                    raise
                self.database.down(error)
            if self.stopping.wait(self.database.pause()):
                raise Stopped

    def await_resume(self) -> bool:
        """Wait while the group is paused. Returns False when something else has to be done first."""
        while not self.stopping.is_set():
            try:
                self.look(self.database.connection())
            except Exception as error:
                if not continues_after(error):
                    raise
                self.database.down(error)
                return False
            if self.gate_is_wanted or not self.pausing.pause:
                return not self.gate_is_wanted
            self.broker.idle()
            self.stopping.wait(PAUSED_SECONDS)
        return False

    def consume(self, intake: Intake) -> None:
        """Handle batches until `stopping` is set, the group is paused or its gate wanted, or the broker is away."""
        key_queues = KeyQueues(self.outside, intake.wake)
        try:
            self.broker.up()
            self.gate_is_wanted = False
            while not self.stopping.is_set() and not self.gate_is_wanted and not self.pausing.pause:
                self.handle_batch(intake, key_queues)
                self.release_queues(intake)
                if time.monotonic() > self.next_look:
                    self.in_database(intake, self.look)
                    self.next_look = time.monotonic() + LOOK_SECONDS * random.uniform(0.5, 1.5)
                if time.monotonic() > self.next_check:
                    self.check_share(intake)
            self.drain(intake, key_queues)
        finally:
            intake.close()
            key_queues.clear()

    def handle_batch(self, intake: Intake, key_queues: KeyQueues) -> None:
        """Handle one batch; messages that wait for an outside step come with a later batch."""
        longest = DRAINING_SECONDS if intake.is_draining else IDLE_SECONDS
        intake.pump(0 if intake.arrived or key_queues.has_completed else longest)
        if 0 < len(intake.arrived) < MIN_BATCH and not intake.is_full:
            self.stopping.wait(self.receiver.handler.linger_seconds)
        intake.gather(MAX_BATCH)
        arrived = self.receiver.read(intake.take(MAX_BATCH, MAX_BATCH_BYTES))
        self.receive(intake, [*key_queues.completed(), *key_queues.add(arrived)])
        key_queues.start()

    def release_queues(self, intake: Intake) -> None:
        for queue in intake.release_drained():
            sharing.RELEASED.labels(self.group).inc()
            log.info("queue released", queue=queue, left=len(intake.held))

    def check_share(self, intake: Intake) -> None:
        """Start to drain a queue when this worker holds too many."""
        sharing.HELD.labels(self.group).set(len(intake.held))
        queue, workers = None, 1
        if not intake.is_draining:
            workers = intake.workers()
            queue = sharing.surplus_queue(intake.held, len(intake.queues), workers)
        if queue and self.releases.may_release(queue, workers, time.monotonic()):
            intake.drain(queue)
        pause = sharing.NEXT_CHECK_SECONDS if intake.is_draining else sharing.CHECK_SECONDS
        self.next_check = time.monotonic() + pause * random.uniform(0.5, 1.5)

    def look(self, connection: Connection[Any]) -> None:
        """Ask whether the group's gate is wanted, and whether a person has paused the group."""
        self.gate_is_wanted = gate.is_wanted(connection)
        self.pausing.look(connection)

    def drain(self, intake: Intake, key_queues: KeyQueues) -> None:
        """Handle the messages in hand, so that none is delivered again; after GRACE_SECONDS the rest is requeued."""
        last = time.monotonic() + GRACE_SECONDS
        intake.drain_all()
        while intake.is_draining and time.monotonic() < last:
            self.handle_batch(intake, key_queues)
            intake.release_drained(for_good=True)

    def receive(self, intake: Intake, messages: Iterable[Received | Broken]) -> None:
        for run in runs(messages):
            self.in_database(intake, partial(self.receiver.receive, run=run))
            failpoints.reach("receive.before-ack")
            intake.acknowledge(message.delivery for message in run)

    def in_database(self, intake: Intake, work: Callable[[Connection[Any]], None]) -> None:
        """Run `work`, and run it again while the database is unavailable.

        The worker holds the messages meanwhile: requeuing them would use up their deliveries.
        """
        while True:
            try:
                work(self.database.connection())
                return self.database.up()
            except Exception as error:
                if not continues_after(error):
                    raise
                self.database.down(error)
            self.pause(intake, self.database.pause())

    def pause(self, intake: Intake, seconds: float) -> None:
        """Wait while the broker's heartbeats are answered. Raises Stopped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.stopping.is_set():
                raise Stopped
            intake.pump(min(left, IDLE_SECONDS))
