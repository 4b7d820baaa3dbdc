"""Fault: every message is published twice, past the relays."""

import threading
from contextlib import suppress
from random import Random

import psycopg
from pika.exceptions import AMQPError

from devstack.breaking.channel import broker_channel
from devstack.chaos.fault import Fault
from devstack.chaos.stage import Stage
from devstack.processes import SERVICES
from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import COLUMNS, from_row, to_properties

AWAY = (psycopg.Error, AMQPError, OSError)
ANNOUNCED = f"""
select position, {", ".join(COLUMNS)} from outbox where position > %s order by position limit 1000
"""  # noqa: S608 - constants
BACK = 100
"""Of the messages from before the fault, so many are published again too."""
EVERY_SECONDS = 0.3


class DuplicateMessages(Fault):
    name = "duplicate-messages"
    does = "Every message of every outbox is published once more, past the relay, also those of a while ago."
    shortest, longest = 3, 12

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.published = 0

    def inject(self) -> str:
        self._thread.start()
        return f"Every message is published again, from {BACK} messages back, in each of {len(SERVICES)} outboxes."

    def heal(self) -> str:
        if self._thread.ident is None or self._stop.is_set():
            return ""
        self._stop.set()
        self._thread.join()
        return f"{self.published} messages were published again."

    def _run(self) -> None:
        seen: dict[str, int] = {}
        while not self._stop.wait(EVERY_SECONDS):
            for service in SERVICES:
                with suppress(*AWAY):
                    self._repeat(service, seen)

    def _repeat(self, service: str, seen: dict[str, int]) -> None:
        url = self.stage.stack.environments.owner_urls()[service]
        with (
            psycopg.connect(url, autocommit=True, connect_timeout=5) as session,
            broker_channel(self.stage.stack.environments) as channel,
        ):
            if service not in seen:
                row = session.execute("select coalesce(max(position), 0) from outbox").fetchone()
                seen[service] = max(0, row[0] - BACK) if row else 0
            for position, *columns in session.execute(ANNOUNCED, (seen[service],)).fetchall():
                message = from_row(columns)
                channel.basic_publish(EVENTS, message.routing_key, message.body.encode(), to_properties(message))
                seen[service] = position
                self.published += 1
