"""Reads for the pages: each method makes a few queries and returns typed rows."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg import Connection

from ordersaga.readside import events
from ordersaga.readside.events import EventFilter, LoggedEvent
from ordersaga.readside.why import Node, why
from ordersaga.webhooks import deliveries, subscriptions
from ordersaga.webhooks.deliveries import WebhookDelivery
from ordersaga.webhooks.subscriptions import SubscriptionStatus, WebhookAction
from projections.audit.sources import Sources
from projections.audit.trail import Trail, TrailCursor, TrailEntry, TrailFilter
from projections.dashboard.commands import Commands
from projections.dashboard.services import Services
from projections.monitor.alarm import Alarm
from projections.monitor.expected import Expected
from projections.monitor.monitor import Monitor
from projections.monitor.snapshot import Snapshots
from projections.monitor.watch import Watch
from projections.queries import alarms, figures, history, notes, payments, product, sagas, search, stock, timeline
from projections.queries.alarms import AlarmRow
from projections.queries.figures import Figures, Minute
from projections.queries.history import SPANS, FigurePoint, Span, Traffic
from projections.queries.payments import PaymentCursor, PaymentRow, State
from projections.queries.product import Product
from projections.queries.sagas import Saga, SagaCursor, SagaFilter, UsualWait, Waiting
from projections.queries.search import AmbiguousId, SearchHit
from projections.queries.stock import Stock
from projections.queries.timeline import Timeline
from projections.service import projections

Value = TypeVar("Value")
RECENT_ORDERS = 10
LONGEST_WAITING = 10
HISTORY_SECONDS = 15.0
"""A minute is recorded once, and the points of a longer span change more slowly."""
USUAL_SECONDS = 10.0
"""UsualWait times change slowly, and each read scans the last 2,000 ended orders."""


@dataclass(frozen=True)
class Overview:
    """The whole system at one moment."""

    figures: Figures
    recent: list[Saga]
    waiting: list[Saga]
    usual: dict[Waiting, UsualWait]
    snapshots: Snapshots
    expected: Expected


@dataclass(frozen=True)
class History:
    """What was measured in a span, read at `now`."""

    span: Span
    now: datetime
    traffic: list[Traffic]
    points: list[FigurePoint]


@dataclass(frozen=True)
class WebhookInFull:
    """One subscription with its newest deliveries and what people did to it."""

    status: SubscriptionStatus
    deliveries: list[WebhookDelivery]
    actions: list[WebhookAction]


class Cached(Generic[Value]):
    """A value that is read again once it is older than `seconds`, by one thread at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._read_at = -seconds
        self._value: Value | None = None

    def get(self, read: Callable[[], Value]) -> Value:
        with self._lock:
            if self._value is None or time.monotonic() - self._read_at >= self._seconds:
                self._value = read()
                self._read_at = time.monotonic()
            return self._value


class Reader:
    """Reads for the pages; one per process, shared by its threads."""

    def __init__(
        self, sources: Sources, monitor: Monitor, watch: Watch, services: Services, trace_url: str = ""
    ) -> None:
        self.services = services
        self.commands = Commands(services)
        self.trace_url = trace_url
        self._sources = sources
        self._database = sources.database
        self._monitor = monitor
        self._watch = watch
        self._lock = threading.Lock()
        self._histories: dict[tuple[str, ...], Cached[History]] = {}
        self._usual: Cached[dict[Waiting, UsualWait]] = Cached(USUAL_SECONDS)

    def overview(self) -> Overview:
        with self._database.connection() as connection:
            return Overview(
                figures.figures(connection),
                sagas.page(connection, limit=RECENT_ORDERS),
                sagas.unfinished(connection, LONGEST_WAITING),
                self._usual.get(lambda: sagas.usual_waits(connection)),
                self.snapshots(),
                self._watch.expected,
            )

    def history(self, span: str, figures: Sequence[str]) -> History:
        """What was measured in the span that `span` names; all viewers share a read of the last HISTORY_SECONDS."""
        key = (span, *figures)
        with self._lock:
            cached = self._histories.setdefault(key, Cached(HISTORY_SECONDS))
        return cached.get(lambda: self._read_history(SPANS[span], figures))

    def _read_history(self, span: Span, figures: Sequence[str]) -> History:
        with self._database.connection() as connection:
            traffic = history.traffic(connection, span) if "traffic" in figures else []
            return History(span, datetime.now(UTC), traffic, history.figures(connection, span, figures))

    def minutes(self) -> list[Minute]:
        with self._database.connection() as connection:
            return figures.minutes(connection)

    def events(self, wanted: EventFilter, known: int | None, first: int) -> list[LoggedEvent]:
        """Newest first: the events after position `known`, or the newest `first` where `known` is None."""
        with self._database.connection() as connection:
            if known is None:
                return events.page(connection, wanted, first)
            return events.after(connection, known, wanted)[::-1]

    def event(self, message: str) -> LoggedEvent | None:
        """The message with this id, or with these first digits. Raises AmbiguousId."""
        with self._database.connection() as connection:
            found = search.message_of(connection, message)
            return events.fetch_one(connection, found) if found else None

    def orders(
        self, wanted: SagaFilter, limit: int, behind: SagaCursor | None
    ) -> tuple[list[Saga], dict[Waiting, UsualWait]]:
        with self._database.connection() as connection:
            return sagas.page(connection, wanted, limit, behind), self._usual.get(lambda: sagas.usual_waits(connection))

    def search(self, text: str, limit: int) -> list[SearchHit]:
        """At most `limit` results of each kind for a text of at most 200 characters."""
        with self._database.connection() as connection:
            return search.search(connection, text[:200].replace("\0", ""), limit)

    def order_id(self, text: str) -> UUID | None:
        """The only order with this id or with these digits of it. Raises AmbiguousId."""
        with self._database.connection() as connection:
            return search.order_of(connection, text)

    def timeline(self, order: str) -> Timeline | None:
        """Of the order with this id, or with these first or last digits. Raises AmbiguousId."""
        with self._database.connection() as connection:
            order_id = search.order_of(connection, order)
            saga = sagas.fetch_one(connection, order_id) if order_id else None
            return timeline.of_saga(connection, saga, with_notes=True) if saga else None

    def trail(self, asked: TrailFilter, behind: TrailCursor | None, limit: int) -> tuple[list[TrailEntry], list[str]]:
        """Entries, newest first, and the services' databases that do not answer: these hold operators' actions."""
        with self._sources.databases() as (connections, missing):
            key = asked.order and self._whole_order(connections, asked.order)
            return Trail(connections).page(replace(asked, order=key), behind, limit, newest_first=True), missing

    def state_of(self, order_id: UUID) -> str:
        with self._database.connection() as connection:
            saga = sagas.fetch_one(connection, order_id)
            return saga.state if saga else ""

    def add_note(self, order_id: UUID, actor: str, text: str) -> None:
        with self._database.connection() as connection:
            notes.add(connection, order_id, actor, text)

    def products(self, limit: int, behind: str | None, first: str | None) -> list[Stock]:
        with self._database.connection() as connection:
            return stock.page(connection, limit, behind, first)

    def product(self, sku: str) -> Product | None:
        with self._database.connection() as connection:
            return product.fetch_one(connection, sku)

    def payments(self, state: State | None, limit: int, behind: PaymentCursor | None) -> list[PaymentRow]:
        with self._database.connection() as connection:
            return payments.page(connection, state, limit, behind)

    def payment(self, order: str) -> PaymentRow | None:
        """Of the order with this id, or with these first or last digits. Raises AmbiguousId."""
        with self._database.connection() as connection:
            order_id = search.order_of(connection, order)
            return payments.fetch_one(connection, order_id) if order_id else None

    def _whole_order(self, connections: Mapping[str, Connection[Any]], text: str) -> str:
        """The id of the order that these digits name alone, or the text, which may be a SKU."""
        try:
            found = search.order_of(connections[projections.name], text)
        except AmbiguousId:
            return text
        return str(found) if found else text

    def why(self, message: str) -> Node | None:
        """Of the message with this id, or with these first digits. Raises AmbiguousId."""
        with self._database.connection() as connection:
            found = search.message_of(connection, message)
            return why(connection, found) if found else None

    def verification(self) -> dict[str, dict[str, Any] | None]:
        """Per store the result of the sealer's last verification, None before the first. Raises SourceUnavailable."""
        return self._sources.verifications()

    def alarms(self) -> tuple[Alarm, ...]:
        """Those that stand, the worst first, as the last round found them: no statement, however many look."""
        self._monitor.snapshots()
        return self._watch.alarms

    def webhooks(self) -> tuple[list[SubscriptionStatus], dict[UUID, WebhookDelivery]]:
        """All subscriptions, and the newest delivery of each."""
        with self._database.connection() as connection:
            return subscriptions.statuses(connection), deliveries.newest(connection)

    def webhook(self, subscription_id: UUID, limit: int) -> WebhookInFull | None:
        """With at most `limit` deliveries and as many actions."""
        with self._database.connection() as connection:
            found = subscriptions.statuses(connection, subscription_id)
            if not found:
                return None
            newest = deliveries.page(connection, subscription_id, limit=limit)
            return WebhookInFull(found[0], newest, subscriptions.actions(connection, subscription_id, limit))

    def ended_alarms(self, limit: int) -> list[AlarmRow]:
        with self._database.connection() as connection:
            return alarms.ended(connection, limit)

    def snapshots(self) -> Snapshots:
        return self._monitor.snapshots()
