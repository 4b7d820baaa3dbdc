"""Detachments: the queues that a relay publishes around while it leads, and those that are being caught up."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pika.exceptions import AMQPError
from prometheus_client import Gauge
from psycopg import Connection

from ordersaga.broker.side_exchanges import NoSideExchange, reachable
from ordersaga.broker.silent_queues import Groups, SilentQueues
from ordersaga.relay import detached
from ordersaga.relay.access import Access
from ordersaga.relay.catch_up import CatchUp
from ordersaga.relay.connection import reason_of
from ordersaga.relay.detached import STRANGERS, Detached
from ordersaga.relay.publisher import BrokerUnavailable
from ordersaga.relay.routes import Routes
from ordersaga.relay.silence import Silence
from ordersaga.relay.window import Cursor, Outgoing
from ordersaga.runtime import failpoints
from ordersaga.runtime.logs import log

MEET_SECONDS = 0.3
"""The longest pause of the relay for a queue that has nearly caught up."""
BETWEEN_MEETINGS = 2.0
"""Seconds between two such pauses."""

queues_detached = Gauge(
    "ordersaga_relay_detached_queues", "Queues that give no answer, or lack messages since", ["database"]
)


class Detachments:
    """Everything is sent to `events` while there are none."""

    def __init__(self, connection: Connection[Any], groups: Groups, queues: SilentQueues, access: Access) -> None:
        """Raises BrokerUnavailable when queues are detached and the exchange of a group is missing."""
        self.rows: list[Detached] = []
        self.routes: Routes | None = None
        """None while no queue is detached."""
        self._connection = connection
        self._groups = groups
        self._access = access
        self._gauge = queues_detached.labels(access.database)
        self._log = log.bind(database=access.database)
        self._catch_ups: dict[tuple[str, str], CatchUp] = {}
        self._retried: set[int] = set()
        """Undeliverable rows that are sent again: no catch-up passes them meanwhile."""
        self._inside: str | None = None
        """Where the last window begins that a detached queue may be inside of, as the relay is."""
        self._meet_at = 0.0
        self._reachable: Groups = {}
        self._renew()
        self.silence = Silence(access.amqp_url, f"relay {access.database}", queues, groups, self._silent)

    def _renew(self) -> None:
        self.rows = detached.load(self._connection)
        self._gauge.set(len(self.rows))
        self._reachable = self._reachable or (self._find_reachable() if self.rows else {})
        self.routes = Routes(self._reachable, self.rows) if self.rows else None
        for row in self.rows:
            place = (row.queue, row.audience)
            if place not in self._catch_ups and not any(row.waits_for(other) for other in self.rows):
                contracts = self._groups.get(row.group or "", ())
                self._catch_ups[place] = CatchUp(row, contracts, self._access, self._retried)
                self._catch_ups[place].start()

    def _silent(self) -> list[str]:
        return [row.queue for row in self.rows if row.group or row.queue == STRANGERS]

    def _find_reachable(self) -> Groups:
        try:
            found = reachable(self._access.amqp_url, f"relay {self._access.database}", self._groups, None)
        except NoSideExchange as error:
            raise BrokerUnavailable(str(error)) from error
        except (AMQPError, OSError) as error:
            raise BrokerUnavailable(reason_of(error)) from error
        return {group: contracts for group, contracts in self._groups.items() if group in found}

    def sentences(self) -> list[str]:
        """What is detached, and whether rows stay in the outbox beyond their retention because of it."""
        old = datetime.now(UTC) - timedelta(seconds=self._access.retention_seconds)
        kept = "; rows older than their retention are kept for it"
        name = self._access.database
        return [f"{name}: {row}{kept if row.since < old else ''}" for row in self.rows]

    def detach(self, queues: Mapping[str, Collection[int]]) -> None:
        """Record queues that give no answer, with their partitions; the next Detachments publish around them."""
        with self._connection.transaction():
            for queue, partitions in queues.items():
                detached.detach(self._connection, queue, partitions)
            failpoints.reach("relay.before-detach")
        failpoints.reach("relay.detached")
        for row in detached.load(self._connection):
            if row.queue in queues:
                self._log.warning(f"{row}; everything else goes on", queue=row.queue)

    def deliverable(self, rows: Sequence[Outgoing]) -> list[Outgoing]:
        """Those of these undeliverable rows that no audience would miss if the others got them now.

        No audience passes them until they are `retried`.
        """
        if self.routes is None:
            return list(rows)
        around = [row.position for row in rows if self.routes.is_around(row.message)]
        if not around:
            return list(rows)
        # In this order: a queue either sees these rows before it passes them, or is seen while it does, or has passed.
        self._retried.update(around)
        held = {position for position in around if any(position in each.passing for each in self._catch_ups.values())}
        held |= detached.passed(self._connection, self.rows, around)
        self._retried -= held
        return [row for row in rows if row.position not in held]

    def retried(self, rows: Iterable[Outgoing]) -> None:
        """These rows are no longer in the table, or refused again."""
        self._retried.difference_update(row.position for row in rows)

    def follow(self, cursor: Cursor, holds: bool) -> bool:
        """Tell how far all rows are settled. Returns whether it is time to attach a queue that has nearly caught up.

        `holds`: the cursor is saved, and the relay publishes nothing behind it for now. Only then the goal may lie
        inside a window. A queue that is inside of one gets its next goal when the relay is through with it: it must
        not pass the relay, which records the messages that wait for a refused one.
        """
        if holds or self._inside is None:
            self._inside = cursor.published
        if holds or cursor.target is None or cursor.published != self._inside:
            goal = cursor if holds else Cursor(cursor.published)
            for catch_up in self._catch_ups.values():
                catch_up.goal = goal
        near = any(catch_up.is_near for catch_up in self._catch_ups.values())
        return near and time.monotonic() >= self._meet_at

    def attach(self, cursor: Cursor) -> None:
        """Attach the queues that have every row up to this cursor: no row behind it may be read."""
        self._meet_at = time.monotonic() + BETWEEN_MEETINGS
        end = time.monotonic() + MEET_SECONDS
        for place, catch_up in list(self._catch_ups.items()):
            if catch_up.is_near and catch_up.reaches(cursor, max(0.0, end - time.monotonic())):
                catch_up.end()
                del self._catch_ups[place]
                failpoints.reach("relay.before-attach")
                detached.attach(self._connection, catch_up.row)
                failpoints.reach("relay.attached")
                self._meet_at = 0.0
                done = "the queue has all of its messages" if catch_up.row.group else "published to `events` again"
                self._log.info(done, queue=catch_up.row.queue)
        if not self._meet_at:
            self._renew()

    def close(self) -> None:
        """End catching up: another relay may lead now."""
        self._gauge.set(0)
        for catch_up in self._catch_ups.values():
            catch_up.end()
