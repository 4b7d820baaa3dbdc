"""The queries and answers of the read side's API."""

from typing import Annotated

from pydantic import BaseModel, Field

from ordersaga.http.as_of import Time
from ordersaga.http.cursors import SCHEMA, cursor_validator
from ordersaga.http.event_stream import EventFilters, Name
from ordersaga.http.ids import IdDigits
from ordersaga.http.openapi import Body, Query, View, example
from ordersaga.readside import events
from ordersaga.readside.events import LinkedEvent, LoggedEvent
from projections.queries import payments, sagas
from projections.queries.notes import MAX_TEXT
from projections.queries.payments import PaymentRow
from projections.queries.sagas import Saga, UsualWait
from projections.queries.search import SearchHit
from projections.queries.stock import Stock

AFTER = Field(default=None, description="The cursor out of `next` of the page before.")


class SagaPath(BaseModel):
    order_id: IdDigits


class MessagePath(BaseModel):
    message_id: IdDigits


class NewNote(Body):
    """A note about an order, in the words of the operator."""

    model_config = example(text="the customer called: deliver on Friday")

    text: str = Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00]*$")


class PageQuery(Query):
    """The number of rows of a page."""

    limit: int = Field(default=50, ge=1, le=200)


class SagaQuery(PageQuery):
    """Orders, newest first, placed at or after `since` and before `until`."""

    after: Annotated[sagas.SagaCursor, cursor_validator(sagas.SagaCursor), SCHEMA] | None = AFTER
    state: sagas.State | None = None
    waits_for: sagas.Waiting | None = None
    overdue: bool | None = None
    customer: Name | None = None
    since: Time | None = None
    until: Time | None = None

    def wanted(self) -> sagas.SagaFilter:
        return sagas.SagaFilter(**{name: getattr(self, name) for name in sagas.SagaFilter._fields})


class UnfinishedQuery(PageQuery):
    """Unfinished orders, the longest waiting first."""

    after: Annotated[sagas.SagaCursor, cursor_validator(sagas.SagaCursor), SCHEMA] | None = AFTER
    waits_for: sagas.Waiting | None = None


class EventQuery(EventFilters, PageQuery):
    """Messages, newest first: by position, or by time when `since` (inclusive) or `until` (exclusive) is given."""

    after: Annotated[events.LogCursor, cursor_validator(events.LogCursor), SCHEMA] | None = AFTER
    since: Time | None = None
    until: Time | None = None


class StockQuery(PageQuery):
    """Products, by SKU."""

    after: Annotated[str, cursor_validator(Name), SCHEMA] | None = AFTER


class PaymentQuery(PageQuery):
    """Payments, the last changed first."""

    after: Annotated[payments.PaymentCursor, cursor_validator(payments.PaymentCursor), SCHEMA] | None = AFTER
    state: payments.State | None = None


class FiguresQuery(Query):
    """The length of the series, in minutes."""

    minutes: int = Field(default=60, ge=1, le=1440)


class SearchQuery(Query):
    """`q` is an id, at least four of its first or last digits, a customer, a SKU, a charge or a refund."""

    q: Name


class PageView(View):
    """`next` is the address of the next page, null on the last."""

    next: str | None


class SagaPage(PageView):
    """A page of orders."""

    sagas: list[Saga]


class UnfinishedPage(SagaPage):
    """Unfinished orders; `usual` tells how long others waited, by what they waited for."""

    usual: dict[sagas.Waiting, UsualWait]


class EventPage(PageView):
    """A page of messages."""

    events: list[LoggedEvent]


class LoggedEventView(View):
    """A message with all its causes and effects, from the first cause to the last effect."""

    event: LoggedEvent
    linked: list[LinkedEvent]


class StockPage(PageView):
    """A page of products."""

    products: list[Stock]


class PaymentPage(PageView):
    """A page of payments."""

    payments: list[PaymentRow]


class SearchView(View):
    """Everything that the search text can mean."""

    found: list[SearchHit]
