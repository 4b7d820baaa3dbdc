"""The loop of a consumer group: take what has arrived, bring it to its end in the database, acknowledge."""

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
from ordersaga.consumer.key_queues import Lines
from ordersaga.consumer.receiver import Receiver, runs
from ordersaga.inbox.delivery import Broken, Received
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.runtime.errors import ErrorKind, classify
from ordersaga.runtime.links import DatabaseLink, Link
from ordersaga.runtime.logs import log

BATCH = 300
FEW = 50
"""A batch with fewer waits for more if its handler has the patience; catching up, there are always more."""
IDLE_SECONDS = 0.2
LEAVING_SECONDS = 0.02
"""Longest wait for something to arrive while a queue is being given back."""
GRACE_SECONDS = 10
"""At the end, time for what is in hand."""
PASSING = (ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT)
"""What a worker outlives: a deadlock too may meet a statement that is nobody's message, such as parking one."""


class Stopped(Exception):
    """The process is to end while the database is away."""


class Consumer:
    """Runs in one thread, which alone touches the broker."""

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
        self.sent_away = False
        self.next_look = 0.0

    def run(self) -> None:
        """Consume until `stopping` is set, however often the servers go away."""
        while not self.stopping.is_set():
            try:
                self.await_database()
                self.consume(Intake(self.group, self.amqp_url))
            except Stopped:
                return
            except (AMQPError, OSError) as error:
                self.broker.away(error)
                self.stopping.wait(self.broker.pause())
            finally:
                self.database.close()

    def await_database(self) -> None:
        """Whoever cannot handle messages must not take any: each delivery counts towards the broker's limit."""
        while True:
            try:
                self.database.connection()
                return self.database.up()
            except Exception as error:
                if classify(error) not in PASSING:
                    raise
                self.database.away(error)
            if self.stopping.wait(self.database.pause()):
                raise Stopped

    def consume(self, intake: Intake) -> None:
        lines = Lines(self.outside, intake.wake)
        try:
            self.broker.up()
            self.sent_away = False
            while not self.stopping.is_set() and not self.sent_away:
                self.turn(intake, lines)
                self.give_back(intake)
                if time.monotonic() > self.next_look:
                    self.look(intake)
            self.finish(intake, lines)
        finally:
            intake.close()
            lines.clear()

    def turn(self, intake: Intake, lines: Lines) -> None:
        """Take one batch; what is behind an outside step comes with a later one."""
        patience = LEAVING_SECONDS if intake.is_leaving else IDLE_SECONDS
        intake.pump(0 if intake.arrived or lines.has_answers else patience)
        if 0 < len(intake.arrived) < FEW:
            self.stopping.wait(self.receiver.handler.patience)
        intake.gather(BATCH)
        arrived = self.receiver.read(intake.take(BATCH))
        self.end(intake, [*lines.answered(), *lines.admit(arrived)])
        lines.start()

    def give_back(self, intake: Intake) -> None:
        for queue in intake.let_go():
            sharing.GIVEN_BACK.labels(self.group).inc()
            log.info("queue given back", queue=queue, left=len(intake.held))

    def look(self, intake: Intake) -> None:
        """Whether somebody wants to change the queues, and whether there is more here than a fair share of them."""
        self.in_database(intake, self.look_at_gate)
        sharing.HELD.labels(self.group).set(len(intake.held))
        queue = None
        if not intake.is_leaving:
            queue = sharing.to_give_back(intake.held, len(intake.queues), intake.workers())
        if queue:
            intake.leave(queue)
        pause = sharing.NEXT_SECONDS if intake.is_leaving else sharing.LOOK_SECONDS
        self.next_look = time.monotonic() + pause * random.uniform(0.5, 1.5)

    def look_at_gate(self, connection: Connection[Any]) -> None:
        self.sent_away = gate.is_wanted(connection)

    def finish(self, intake: Intake, lines: Lines) -> None:
        """Bring what is in hand to its end, so that nothing goes back; what takes too long does, to its place."""
        last = time.monotonic() + GRACE_SECONDS
        intake.leave_all()
        while intake.is_leaving and time.monotonic() < last:
            self.turn(intake, lines)
            intake.let_go(for_good=True)

    def end(self, intake: Intake, messages: Iterable[Received | Broken]) -> None:
        for run in runs(messages):
            self.in_database(intake, partial(self.receiver.receive, run=run))
            intake.acknowledge(message.delivery for message in run)

    def in_database(self, intake: Intake, work: Callable[[Connection[Any]], None]) -> None:
        """While the database is away the messages stay in hand: giving them back would use up their deliveries."""
        while True:
            try:
                work(self.database.connection())
                return self.database.up()
            except Exception as error:
                if classify(error) not in PASSING:
                    raise
                self.database.away(error)
            self.pause(intake, self.database.pause())

    def pause(self, intake: Intake, seconds: float) -> None:
        """Wait, but go on answering the broker's heartbeats."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.stopping.is_set():
                raise Stopped
            intake.pump(min(left, IDLE_SECONDS))
