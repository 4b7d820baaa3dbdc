"""What one may ask the read side over HTTP, and how its pages look."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from ordersaga.http.as_of import Time
from ordersaga.http.cursors import SCHEMA, reads
from ordersaga.http.event_stream import EventFilters, Name
from ordersaga.http.openapi import Query, View
from ordersaga.readside import events
from ordersaga.readside.events import LinkedEvent, LoggedEvent
from projections.queries import payments, sagas
from projections.queries.payments import Payment
from projections.queries.sagas import Saga, Usual
from projections.queries.search import Found
from projections.queries.stock import Stock

AFTER = Field(default=None, description="The cursor out of `next` of the page before.")


class OrderPath(BaseModel):
    order_id: UUID


class MessagePath(BaseModel):
    message_id: UUID


class Page(Query):
    """So many rows."""

    limit: int = Field(default=50, ge=1, le=200)


class SagaQuery(Page):
    """Newest first. `since` is included, `until` is not; both are about when the order was placed."""

    after: Annotated[sagas.Place, reads(sagas.Place), SCHEMA] | None = AFTER
    state: sagas.State | None = None
    waits_for: sagas.Waiting | None = None
    overdue: bool | None = None
    customer: Name | None = None
    since: Time | None = None
    until: Time | None = None

    def wanted(self) -> sagas.SagaFilter:
        return sagas.SagaFilter(**{name: getattr(self, name) for name in sagas.SagaFilter._fields})


class UnfinishedQuery(Page):
    """Oldest waiting first."""

    after: Annotated[sagas.Place, reads(sagas.Place), SCHEMA] | None = AFTER
    waits_for: sagas.Waiting | None = None


class EventQuery(EventFilters, Page):
    """Newest first: by position, or by time when a time is asked for. `since` is included, `until` is not."""

    after: Annotated[events.LogPlace, reads(events.LogPlace), SCHEMA] | None = AFTER
    since: Time | None = None
    until: Time | None = None


class StockQuery(Page):
    """By SKU."""

    after: Annotated[str, reads(Name), SCHEMA] | None = AFTER


class PaymentQuery(Page):
    """Those to which something happened last come first."""

    after: Annotated[payments.Place, reads(payments.Place), SCHEMA] | None = AFTER
    state: payments.State | None = None


class FiguresQuery(Query):
    """How many minutes the series has."""

    minutes: int = Field(default=60, ge=1, le=1440)


class SearchQuery(Query):
    """An id, its first four digits or more, a customer or a SKU."""

    q: Name


class PageView(View):
    """`next` is the address of the next page, null on the last."""

    next: str | None


class SagaPage(PageView):
    """Orders."""

    sagas: list[Saga]


class UnfinishedPage(SagaPage):
    """Unfinished orders; `usual` tells how long others waited, by what they waited for."""

    usual: dict[sagas.Waiting, Usual]


class EventPage(PageView):
    """Messages of the log."""

    events: list[LoggedEvent]


class EventView(View):
    """A message, and with it everything that led to it or came of it, from the first cause to the last effect."""

    event: LoggedEvent
    linked: list[LinkedEvent]


class StockPage(PageView):
    """Products."""

    products: list[Stock]


class PaymentPage(PageView):
    """Payments."""

    payments: list[Payment]


class SearchView(View):
    """Everything that the text may stand for."""

    found: list[Found]
