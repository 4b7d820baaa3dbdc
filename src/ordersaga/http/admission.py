"""Admission: an API refuses requests that begin a saga while more sagas are under way than end in time."""

import threading
import time
from collections.abc import Collection
from math import inf
from typing import Any, NamedTuple

from eventsourcing.domain import CanMutateAggregate
from prometheus_client import Counter
from psycopg import Connection

from ordersaga.http.flow import Flow, SagaEvent
from ordersaga.http.problems import Problem
from ordersaga.runtime.errors import OUR_DATABASE, classify
from ordersaga.runtime.links import DatabaseLink
from ordersaga.runtime.logs import log
from ordersaga.runtime.sessions import API, SessionLimits
from ordersaga.runtime.settings import Settings
from ordersaga.store.topics import topic_of

COUNT_SECONDS = 0.25
"""Between two counts, while requests come."""
STALE_SECONDS = 2.0
"""An older finding refuses nobody: the database was away, or no request came."""
QUIET_SECONDS = 10.0
"""Without a refusal, after which the log says that all are accepted again."""
MAX_EVENTS = 5000
"""Events that the first count reads, and the most that any count reads."""
RETRY_SECONDS = 2

SHED = Counter(
    "ordersaga_requests_shed_total",
    "Requests refused because more sagas are under way than end in time",
    ["service", "limit"],
)

NEWEST_EVENTS = """
select originator_id, topic = %(begins)s, extract(epoch from recorded_at)::float8,
    causation_id is not null and actor <> 'deadline', position
from stored_events
where position > greatest(%(after)s, (select max(position) from stored_events) - %(most)s)
    and topic = any(%(topics)s)
order by position limit %(most)s
"""
OPEN_SAGAS = """
select extract(epoch from clock_timestamp())::float8, count(*) from (select from deadlines limit %s) as open_sagas
"""
"""The time, and the number of sagas that have not ended, however long ago they began: their end clears the deadline."""


class Saga(NamedTuple):
    """The event classes that begin and end the sagas of a service."""

    begins: type[CanMutateAggregate[Any]]
    ends: tuple[type[CanMutateAggregate[Any]], ...]

    @property
    def topics(self) -> Collection[str]:
        return [topic_of(event) for event in (self.begins, *self.ends)]


class Admission:
    """Counts the sagas of one service, in a thread that runs while requests come, and says whether one may begin.

    Every process of the API has one. It may let through what another one does at the same moment, so that the limits
    are passed by what comes in a quarter of a second.
    """

    def __init__(
        self, service: str, url: str, saga: Saga, settings: Settings, longest: float = inf, limits: SessionLimits = API
    ) -> None:
        """`longest` seconds are enough for a saga, whatever the settings say."""
        self.service = service
        self._saga = saga
        self._limit = min(settings.saga_latency_limit_seconds, longest)
        self._most = settings.open_sagas_limit
        self._flow = Flow(self._limit)
        self._link = DatabaseLink("database (admission)", url, limits)
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
        self._room, self._places, self._found_at = inf, inf, 0.0
        self._newest, self._newest_before = 0, 0
        self._refused, self._refused_at = 0, 0.0

    def require_room(self) -> None:
        """Take room for one saga. Raises Problem (503) when there is none."""
        if not self._thread.is_alive():
            self._start()
        self._wanted.set()
        with self._lock:
            if time.monotonic() - self._found_at > STALE_SECONDS:
                return
            self._room -= 1
            self._places -= 1
            if self._room >= 0 <= self._places:
                return
            limit = "latency" if self._room < 0 else "open"
            self._log_refusal(limit)
        SHED.labels(self.service, limit).inc()
        detail = "More is under way than ends in time. Nothing was stored; send the same request again later."
        raise Problem(503, "overloaded", detail, headers={"Retry-After": str(RETRY_SECONDS)})

    def _start(self) -> None:
        """Start the thread with the first request, in the process that serves it."""
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wanted.wait(QUIET_SECONDS if self._refused else None)
            self._wanted.clear()
            try:
                self.count(self._link.connection())
                self._link.up()
            except Exception as error:  # noqa: BLE001 - without a finding nothing is refused
                if classify(error) not in OUR_DATABASE and not self._link.problem:
                    log.exception("admission failed and will try again")
                self._link.down(error)
                time.sleep(self._link.pause())
            self._log_end()
            time.sleep(COUNT_SECONDS)

    def count(self, connection: Connection[Any]) -> None:
        """Read the newest events, and find how many more sagas may begin."""
        # Again those of the count before: a row may become visible after one with a later position.
        rows = connection.execute(NEWEST_EVENTS, self._parameters(), prepare=True).fetchall()
        self._newest_before = self._newest
        if rows:
            self._newest = rows[-1][4]
        [(now, open_sagas)] = connection.execute(OPEN_SAGAS, (self._most,), prepare=True).fetchall()
        self._flow.follow(SagaEvent(*row[:4]) for row in rows)
        self._flow.forget(now)
        places = self._most - open_sagas if self._most else inf
        with self._lock:
            self._room, self._places, self._found_at = self._flow.room, places, time.monotonic()

    def _parameters(self) -> dict[str, Any]:
        begins, topics = topic_of(self._saga.begins), list(self._saga.topics)
        return {"begins": begins, "topics": topics, "after": self._newest_before, "most": MAX_EVENTS}

    def _log_refusal(self, limit: str) -> None:
        if not self._refused and limit == "latency":
            log.warning(
                "requests are refused: more sagas are under way than end in time",
                under_way=self._flow.open,
                ended_per_second=round(self._flow.per_second, 1),
                seconds_each=round(self._flow.duration, 2),
                raise_it_with="SAGA_LATENCY_LIMIT_SECONDS",
            )
        elif not self._refused:
            log.warning(
                "requests are refused: so many sagas have not ended", limit=self._most, raise_it_with="OPEN_SAGAS_LIMIT"
            )
        self._refused += 1
        self._refused_at = time.monotonic()

    def _log_end(self) -> None:
        with self._lock:
            if self._refused and time.monotonic() - self._refused_at > QUIET_SECONDS:
                log.info("all requests are accepted again", refused=self._refused)
                self._refused = 0
