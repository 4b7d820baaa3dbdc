"""Watch: what a running stack looks like while it is harmed, once a second, in a file of JSON lines."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

import psycopg

from devstack.chaos.stage import Stage
from devstack.chaos.timeline import Timeline
from devstack.processes import SERVICES
from devstack.status import all_statuses
from ordersaga.relay.status import unpublished

SECONDS = 1.0
READY_SECONDS = 1.0
"""Pause between two looks at the readiness of all processes."""
PATIENCE = "-c statement_timeout=2000"
AWAY = (psycopg.Error, OSError)
OPEN_ORDERS = "select count(*) from deadlines"
"""A row for each order that has not ended."""


@dataclass(frozen=True)
class WatchSample:
    """`at` is seconds since the start of the load; None and empty where nobody answered."""

    at: float
    acknowledged: int
    """Orders, since the start."""
    refused: int
    unanswered: int
    open: int | None
    """Orders that have not ended."""
    unpublished: int | None
    """Rows of all outboxes that the broker has not confirmed."""
    not_ready: list[str]


Counts = Callable[[], tuple[int, int, int]]
"""Orders acknowledged, refused and unanswered so far."""


class Watch:
    """Two threads, because a frozen server delays the question whether everything is ready by seconds."""

    def __init__(self, stage: Stage, timeline: Timeline, counts: Counts) -> None:
        self.samples: list[WatchSample] = []
        self.not_ready: list[str] = []
        self._stage = stage
        self._timeline = timeline
        self._counts = counts
        self._stop = threading.Event()
        self._failure = ""
        self._path = stage.directory / "samples.jsonl"
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._sample, self._ask)]

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def lacks(self) -> str:
        """Why the file does not hold every sample, as a sentence; empty when it does."""
        return f"{self._path} has no more samples: {self._failure}" if self._failure else ""

    def _sample(self) -> None:
        try:
            self._write_samples()
        except Exception as error:  # noqa: BLE001 - the verdict names it
            self._failure = repr(error)

    def _write_samples(self) -> None:
        with self._path.open("w") as file:
            while not self._stop.wait(SECONDS):
                sample = self._look()
                self.samples.append(sample)
                file.write(json.dumps(asdict(sample)) + "\n")
                file.flush()

    def _look(self) -> WatchSample:
        urls = self._stage.stack.environments.owner_urls()
        rows = [figure(urls[service], unpublished) for service in SERVICES]
        waiting = None if None in rows else sum(filter(None, rows))
        opened = figure(urls["order_service"], open_orders)
        return WatchSample(self._timeline.now(), *self._counts(), opened, waiting, list(self.not_ready))

    def _ask(self) -> None:
        while not self._stop.wait(READY_SECONDS):
            now = self._unready()
            if now and now != self.not_ready:
                self._timeline.note("unready", f"Not ready: {', '.join(now)}.")
            elif self.not_ready and not now:
                self._timeline.note("ready", "Everything is ready again.")
            self.not_ready = now

    def _unready(self) -> list[str]:
        try:
            statuses = all_statuses(self._stage.scene.state, self._stage.scene.records)
        except Exception as error:  # noqa: BLE001 - a watch that has ended would take every recovery for one of 0 s
            return [f"unknown ({error!r})"]
        return [line.name for line in statuses if not line.ready] if statuses else ["no process is known"]


def figure(url: str, ask: Callable[[psycopg.Connection[tuple[object, ...]]], int]) -> int | None:
    """None when the database does not answer within two seconds or so."""
    try:
        with psycopg.connect(url, connect_timeout=2, options=PATIENCE, autocommit=True) as connection:
            return ask(connection)
    except AWAY:
        return None


def open_orders(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute(OPEN_ORDERS).fetchone()
    return int(str(row[0])) if row else 0
