"""The loop of the webhook process: collect, send, record; one process at a time, by a lock of the database."""

import os
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.database.locks import WEBHOOK_LEAD, try_lock
from ordersaga.readside.rows import columns, select
from ordersaga.runtime.links import Link
from ordersaga.runtime.logs import log
from ordersaga.runtime.sessions import RELAY, connect
from ordersaga.webhooks import collecting, deliveries, figures, outcomes
from ordersaga.webhooks.attempting import Attempting
from ordersaga.webhooks.collecting import Feed
from ordersaga.webhooks.deliveries import DeliveryResult
from ordersaga.webhooks.outbound import Outbound, SendingSubscription
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.subscriptions import Subscription

POLL_SECONDS = 0.25
IDLE_SECONDS = 1.0
"""Between two looks at the database with an active subscription, and without one."""
FIGURES_SECONDS = 10.0
PURGE_SECONDS = 60.0
TAKEN = 64
"""Deliveries that are read at once."""

SUBSCRIPTIONS = SQL("""
select {}, case when old_secret_until > now() then array[secret, old_secret] else array[secret] end as secrets
from webhook_subscriptions order by created_at, id
""").format(columns(Subscription))


class WebhookSender:
    """Sends what the subscriptions of one read side are due; waits for a database that is away."""

    def __init__(self, url: str, feed: Feed, settings: WebhookSettings, stop: threading.Event) -> None:
        """Raises ValueError: WEBHOOK_ALLOW is wrong."""
        self._url = url
        self._feed = feed
        self._settings = settings
        self._stop = stop
        self._outbound = Outbound(Attempting(settings))
        self._link = Link("the database of the webhooks")
        self._disabled: list[SendingSubscription] = []
        self._figured_at = self._purged_at = float("-inf")

    def problems(self) -> list[str]:
        """Why nothing can be sent now."""
        return [self._link.problem] if self._link.problem else []

    def warnings(self) -> list[str]:
        """What a person should look at."""
        return [f"The webhook {each.id} is disabled: {each.state_reason}" for each in self._disabled]

    def run(self) -> None:
        """Send until `stop` is set; then record what is under way. A standby waits for the lock."""
        while not self._stop.is_set():
            try:
                with connect(self._url, f"webhooks {socket.gethostname()} {os.getpid()}", RELAY) as connection:
                    self._lead(connection)
            except psycopg.Error as error:
                self._link.down(error)
                self._stop.wait(self._link.pause())
        self._outbound.close()

    def _lead(self, connection: Connection[Any]) -> None:
        while not try_lock(connection, WEBHOOK_LEAD):
            self._link.up()
            if self._stop.wait(IDLE_SECONDS):
                return
        log.info("this process sends the webhooks")
        self._outbound.drop_waiting()
        while not self._stop.is_set():
            self._keep_house(connection)
            is_needed = self._turn(connection)
            self._link.up()
            self._record(connection, self._outbound.results(POLL_SECONDS if is_needed else IDLE_SECONDS))
        self._finish(connection)

    def _turn(self, connection: Connection[Any]) -> bool:
        """Collect, and send what is due. Returns whether there is an active subscription."""
        found = select(connection, SendingSubscription, SUBSCRIPTIONS)
        self._disabled = [each for each in found if each.state == "disabled"]
        by_id = {each.id: each for each in found}
        empty = self._outbound.keep(by_id)
        if found:
            collecting.collect(connection, found, self._feed)
            self._outbound.add(deliveries.heads(connection, empty, self._outbound.known, TAKEN), by_id)
            self._outbound.send(by_id)
        return any(each.state == "active" for each in found)

    def _record(self, connection: Connection[Any], results: Sequence[DeliveryResult]) -> None:
        """After a failure of the database the results are lost, and the deliveries are sent again."""
        if not results:
            return
        for disabled in outcomes.record(connection, results):
            log.warning("a webhook is disabled", subscription=str(disabled.subscription_id), reason=disabled.reason)
        for each in results:
            figures.attempts.labels({"pending": "retried"}.get(each.state, each.state)).inc()
            if each.attempt.error:
                log.info(
                    "a webhook was not delivered",
                    subscription=str(each.delivery.subscription_id),
                    webhook_id=str(each.delivery.message_id),
                    attempt=each.delivery.attempts + 1,
                    reason=each.attempt.error,
                )

    def _keep_house(self, connection: Connection[Any]) -> None:
        """Set the gauges and purge, from time to time."""
        now = time.monotonic()
        if now - self._figured_at >= FIGURES_SECONDS:
            figures.update(connection)
            self._figured_at = now
        if now - self._purged_at >= PURGE_SECONDS and not deliveries.purge(
            connection, self._settings.webhook_retention_days
        ):
            self._purged_at = now

    def _finish(self, connection: Connection[Any]) -> None:
        """Record what is under way, waiting as long as an attempt may take."""
        until = time.monotonic() + self._settings.webhook_timeout_seconds + 1
        while self._outbound.is_busy and time.monotonic() < until:
            connection.execute("")  # the session ends when it is silent
            self._record(connection, self._outbound.results(0.2))
