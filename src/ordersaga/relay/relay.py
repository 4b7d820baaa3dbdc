"""The relay of one database: connects to both servers, stands by until it leads, and publishes until one is away."""

import threading
import time
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
from prometheus_client import Gauge
from psycopg import Connection

from ordersaga.broker.silent_queues import Groups, SilentQueues
from ordersaga.relay import session, window
from ordersaga.relay.access import Access
from ordersaga.relay.announced import Announced
from ordersaga.relay.bell import bell_of
from ordersaga.relay.detachments import Detachments
from ordersaga.relay.publish_loop import PublishLoop
from ordersaga.relay.publisher import BrokerUnavailable, MessageRefused, Publisher
from ordersaga.relay.purge import Purger
from ordersaga.relay.rebase import rebase_if_foreign
from ordersaga.relay.recent_rows import RecentRows
from ordersaga.relay.replication import Replication
from ordersaga.relay.session import UnsafeServer
from ordersaga.relay.silence import QueueSilent
from ordersaga.runtime import failpoints
from ordersaga.runtime.links import Link
from ordersaga.runtime.logs import log

AT_ONCE = 3
"""Detached queues that are caught up at once; each takes a session, of which the role of the relay has few."""
STANDBY_SECONDS = 0.25
"""Seconds between two attempts of a standby to lead."""

REPLICATION_SECONDS = 0.05
"""Seconds between two looks whether a synchronous standby has confirmed."""

lag_rows = Gauge("ordersaga_relay_lag_rows", "Rows of the current window that are not confirmed", ["database"])
lag_seconds = Gauge("ordersaga_relay_lag_seconds", "Age of the moment up to which all is confirmed", ["database"])
active = Gauge("ordersaga_relay_active", "1 for the active relay of the database, 0 for a standby", ["database"])


class Relay:
    """Publishes a database while it leads, stands by while another relay leads, and outlives both servers."""

    def __init__(
        self,
        database: str,
        database_url: str,
        amqp_url: str,
        stop: threading.Event,
        unsafe_durability: bool,
        retention_seconds: float,
        max_bytes: int,
        groups: Groups,
        announced: Announced | None,
    ) -> None:
        """`groups` are those whose queues a stall may be due to; without `announced`, any source is published."""
        self.database = database
        self.publish_loop: PublishLoop | None = None
        turns = threading.Semaphore(AT_ONCE)
        self._access = Access(database, database_url, amqp_url, max_bytes, retention_seconds, announced, turns)
        self._stop = stop
        self._unsafe_durability = unsafe_durability
        self._groups = groups
        self._publisher = Publisher(amqp_url, f"relay {database}")
        self._queues = SilentQueues(amqp_url, f"relay {database}", groups)
        self._rabbitmq = Link(f"RabbitMQ for {database}")
        self._postgres = Link(f"Postgres for {database}")
        self._recent_rows = RecentRows(database, retention_seconds)
        wait = partial(self._publisher.wait, REPLICATION_SECONDS)
        self._replication = Replication(database, database_url, wait, stop.is_set)
        self._had_safe_server = False
        self._up_to_date_at = time.monotonic()
        lag_seconds.labels(database).set_function(self.lag)
        lag_rows.labels(database).set_function(lambda: loop.unconfirmed if (loop := self.publish_loop) else 0)
        active.labels(database).set_function(lambda: self.publish_loop is not None)

    def problems(self) -> list[str]:
        """The reasons why it neither publishes nor stands by, each a sentence."""
        found = [link.problem for link in (self._postgres, self._rabbitmq) if link.problem]
        if (loop := self.publish_loop) and loop.problem:
            found.append(loop.problem)
        return [*found, *filter(None, [self._replication.problem])]

    def warnings(self) -> list[str]:
        """The queues that it publishes around, each in a sentence, and what the database has lost."""
        detached = self.publish_loop.detached if self.publish_loop else []
        return [*detached, *filter(None, [self._recent_rows.warning])]

    def lag(self) -> float:
        """Seconds since the moment up to which every committed row is known to be confirmed; 0 for a standby."""
        loop = self.publish_loop
        return time.monotonic() - (loop.up_to_date_at if loop else self._up_to_date_at)

    def run(self) -> None:
        """Publish until `stop` is set.

        Raises:
            UnsafeServer: publishing from this server could lose messages, and no earlier one was safe.
        """
        pause = 0.0
        while not self._stop.is_set():
            try:
                self._wait(pause)
                self._attempt()
            except MessageRefused:
                pause = 0.0
            except QueueSilent:
                self._publisher.close(seconds=0.1)
                pause = 0.0
            except UnsafeServer as error:
                # A relay that was here before meets a standby while it is promoted; a new one has the wrong address.
                if not self._had_safe_server:
                    raise
                self._postgres.down(error)
                pause = self._postgres.pause()
            except BrokerUnavailable as error:
                self._rabbitmq.down(error)
                pause = self._rabbitmq.pause()
            except psycopg.Error as error:
                self._postgres.down(error)
                pause = self._postgres.pause()
        self._publisher.close()
        log.info("stopped", database=self.database)

    def _attempt(self) -> None:
        """Connect, stand by until this relay leads, and publish until a server is away."""
        self._publisher.connect()
        self._rabbitmq.up()
        with session.connect(self._access.url) as connection:
            session.prepare(connection, self._unsafe_durability)
            self._had_safe_server = True
            window.load_cursor(connection)
            self._postgres.up()
            if self._stand_by(connection):
                self._lead(connection)

    def _stand_by(self, connection: Connection[Any]) -> bool:
        """Wait until this relay leads. Returns False if `stop` is set first."""
        waited = False
        while not session.try_to_lead(connection):
            if not waited:
                log.info("standing by", database=self.database)
            waited = True
            self._up_to_date_at = time.monotonic()
            self._publisher.wait(STANDBY_SECONDS)
            if self._stop.is_set():
                return False
        return True

    def _lead(self, connection: Connection[Any]) -> None:
        failpoints.reach("relay.leads")
        if not self._replication.confirm(connection):
            return
        self._recent_rows.compare(connection)
        rebase_if_foreign(connection, self.database)
        log.info("active", database=self.database)
        purger = Purger(self.database, connection, self._access.retention_seconds)
        detachments = Detachments(connection, self._groups, self._queues, self._access)
        with closing(detachments), bell_of(connection, self._publisher) as bell:
            self.publish_loop = PublishLoop(
                self._access,
                connection,
                self._publisher,
                bell,
                self._queues,
                detachments,
                purger,
                self._recent_rows,
                self._stop,
            )
            try:
                self.publish_loop.run()
            finally:
                self._up_to_date_at = self.publish_loop.up_to_date_at
                self.publish_loop = None

    def _wait(self, seconds: float) -> None:
        """Wait between two attempts; answer the heartbeats of an open broker connection."""
        end = time.monotonic() + seconds
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._publisher.is_open:
                self._publisher.wait(min(left, STANDBY_SECONDS))
            else:
                self._stop.wait(left)
