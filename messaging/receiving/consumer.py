"""The loop of a consumer group: take what has arrived, bring it to its end in the database, acknowledge."""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pika.exceptions import AMQPError
from psycopg import Connection

from messaging.broker import Group
from messaging.failures import Fate, judge
from messaging.links import DatabaseLink, Link
from messaging.receiving.delivery import Broken, Received
from messaging.receiving.intake import Intake
from messaging.receiving.lines import Lines
from messaging.receiving.outside import OutsideSteps
from messaging.receiving.receiver import Receiver, runs

BATCH = 300
IDLE_SECONDS = 0.2
GRACE_SECONDS = 10
"""At the end, time for the outside steps that are under way."""


class Stopped(Exception):
    """The process is to end while the database is away."""


class Consumer:
    """Runs in one thread, which alone touches the broker."""

    def __init__(
        self,
        group: Group,
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

    def await_database(self) -> None:
        """Whoever cannot handle messages must not take any: each delivery counts towards the broker's limit."""
        while True:
            try:
                self.database.connection()
                return self.database.up()
            except Exception as error:
                if judge(error) is not Fate.AWAY:
                    raise
                self.database.away(error)
            if self.stopping.wait(self.database.pause()):
                raise Stopped

    def consume(self, intake: Intake) -> None:
        lines = Lines(self.outside, intake.wake)
        try:
            self.broker.up()
            while not self.stopping.is_set():
                self.turn(intake, lines)
            self.finish(intake, lines)
        finally:
            intake.close()
            lines.clear()

    def turn(self, intake: Intake, lines: Lines) -> None:
        """Take one batch; what is behind an outside step comes with a later one."""
        intake.pump(0 if intake.arrived or lines.has_answers else IDLE_SECONDS)
        intake.gather(BATCH)
        arrived = self.receiver.read(intake.take(BATCH))
        self.end(intake, [*lines.answered(), *lines.admit(arrived)])
        lines.start()

    def finish(self, intake: Intake, lines: Lines) -> None:
        """Let outside steps that are under way come to their end; everything else goes back to the broker."""
        last = time.monotonic() + GRACE_SECONDS
        while lines and time.monotonic() < last:
            intake.pump(IDLE_SECONDS)
            self.end(intake, lines.answered())

    def end(self, intake: Intake, messages: Iterable[Received | Broken]) -> None:
        for run in runs(messages):
            self.in_database(intake, partial(self.receiver.receive, run=run))
            intake.acknowledge(message.delivery.tag for message in run)

    def in_database(self, intake: Intake, work: Callable[[Connection[Any]], None]) -> None:
        """While the database is away the messages stay in hand: giving them back would use up their deliveries."""
        while True:
            try:
                work(self.database.connection())
                return self.database.up()
            except Exception as error:
                if judge(error) is not Fate.AWAY:
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
