"""The relay of one database: connects to both servers, waits for the lead, and leads until one of them is gone."""

import threading
import time
from typing import Any

import psycopg
from prometheus_client import Gauge
from psycopg import Connection

from ordersaga.relay import session, window
from ordersaga.relay.lead import Lead
from ordersaga.relay.publisher import BrokerAway, Publisher, TooLarge
from ordersaga.relay.rebase import rebase_if_foreign
from ordersaga.relay.trim import Trimmer
from ordersaga.runtime.links import Link
from ordersaga.runtime.logs import log

STANDBY_REST = 0.25
"""Seconds between two attempts of a standby to take the lead."""
PATIENCE = 15.0
"""Seconds without a confirm after which a relay that has messages in flight no longer counts as ready."""

lag_rows = Gauge("ordersaga_relay_lag_rows", "Rows of the window under way not confirmed yet", ["database"])
lag_seconds = Gauge("ordersaga_relay_lag_seconds", "Age of the moment up to which all is confirmed", ["database"])
active = Gauge("ordersaga_relay_active", "1: the active relay of the database, 0: it stands by", ["database"])


class Relay:
    """Publishes a database while it leads, stands by while another relay does, and outlives both servers."""

    def __init__(
        self,
        database: str,
        database_url: str,
        amqp_url: str,
        stop: threading.Event,
        unsafe_durability: bool = False,
        retention_seconds: float = 24 * 3600,
        largest: int = 16 * 1024 * 1024,
    ) -> None:
        self.database = database
        self.lead: Lead | None = None
        self._url = database_url
        self._stop = stop
        self._unsafe_durability = unsafe_durability
        self._retention_seconds = retention_seconds
        self._largest = largest
        """Bytes of the largest body that is offered to the broker."""
        self._publisher = Publisher(amqp_url, f"relay {database}")
        self._rabbitmq = Link(f"RabbitMQ for {database}")
        self._postgres = Link(f"Postgres for {database}")
        self._up_to_date_at = time.monotonic()
        lag_seconds.labels(database).set_function(self.lag)
        lag_rows.labels(database).set_function(lambda: lead.unconfirmed if (lead := self.lead) else 0)
        active.labels(database).set_function(lambda: self.lead is not None)

    def problems(self) -> list[str]:
        """What keeps it from publishing or standing by, each in one sentence."""
        found = [link.problem for link in (self._postgres, self._rabbitmq) if link.problem]
        if (lead := self.lead) and (seconds := lead.unanswered_seconds) > PATIENCE:
            found.append(
                f"RabbitMQ has confirmed nothing of {self.database} for {seconds:.0f} s: a queue is unavailable"
            )
        return found

    def lag(self) -> float:
        """Seconds since the moment up to which everything committed is known to be confirmed; 0 for a standby."""
        lead = self.lead
        return time.monotonic() - (lead.up_to_date_at if lead else self._up_to_date_at)

    def run(self) -> None:
        """Publish until told to stop.

        Raises:
            UnsafeServer: the database must not be published as it is.
        """
        pause = 0.0
        while not self._stop.is_set():
            try:
                self._wait(pause)
                self._attempt()
            except TooLarge:
                pause = 0.0
            except BrokerAway as error:
                self._rabbitmq.away(error)
                pause = self._rabbitmq.pause()
            except psycopg.Error as error:
                self._postgres.away(error)
                pause = self._postgres.pause()
        self._publisher.close()
        log.info("stopped", database=self.database)

    def _attempt(self) -> None:
        """Connect where there is no connection, wait for the lead, and publish until something breaks."""
        self._publisher.connect()
        self._rabbitmq.up()
        with session.connect(self._url) as connection:
            session.prepare(connection, self._unsafe_durability)
            window.load_cursor(connection)
            self._postgres.up()
            if self._stand_by(connection):
                self._lead(connection)

    def _stand_by(self, connection: Connection[Any]) -> bool:
        """Wait for the lead; False when told to stop first."""
        waited = False
        while not session.try_to_lead(connection):
            if not waited:
                log.info("standing by", database=self.database)
            waited = True
            self._up_to_date_at = time.monotonic()
            self._publisher.wait(STANDBY_REST)
            if self._stop.is_set():
                return False
        return True

    def _lead(self, connection: Connection[Any]) -> None:
        rebase_if_foreign(connection, self.database)
        log.info("active", database=self.database)
        trimmer = Trimmer(self.database, connection, self._retention_seconds)
        self.lead = Lead(self.database, connection, self._publisher, trimmer, self._largest, self._stop)
        try:
            self.lead.run()
        finally:
            self._up_to_date_at = self.lead.up_to_date_at
            self.lead = None

    def _wait(self, seconds: float) -> None:
        """Wait between two attempts, with an eye on the broker's connection while there is one."""
        end = time.monotonic() + seconds
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._publisher.is_open:
                self._publisher.wait(min(left, STANDBY_REST))
            else:
                self._stop.wait(left)
