"""Bodies of requests and responses about webhooks."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from ordersaga.http.openapi import Body, Query, View, example
from ordersaga.http.parked_views import Reason
from ordersaga.webhooks.deliveries import LAST_ID, DeliveryState, WebhookDelivery
from ordersaga.webhooks.destination import MAX_URL
from ordersaga.webhooks.subscriptions import Format, SubscriptionState, SubscriptionStatus, WebhookAction

EVENT = "A contract, a pattern such as `books.*`, or `alarms`."
EventName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", description=EVENT)]
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SubscriptionPath(BaseModel):
    subscription_id: UUID


class DeliveryPath(BaseModel):
    number: int = Field(ge=1, le=LAST_ID)


class DeliveriesQuery(Query):
    """Deliveries, the newest first."""

    state: DeliveryState | None = None
    limit: int = Field(default=50, ge=1, le=500)
    before: int = Field(default=LAST_ID, ge=1, le=LAST_ID, description="`next` of the page before.")


class ActionsQuery(Query):
    """What people did, the newest first."""

    limit: int = Field(default=100, ge=1, le=500)


class Subscribe(Body):
    model_config = example(url="https://hooks.example/books", events=["books.*"], reason="the library asks for it")

    url: str = Field(max_length=MAX_URL, description="It begins with https://, and its host is on the internet.")
    events: list[EventName] = Field(min_length=1, max_length=50)
    format: Format = Field(default="cloudevents", description='A CloudEvent, or {"text": ...} as chats take it.')
    description: Text = ""
    from_start: bool = Field(default=False, description="Whether it gets the whole event log.")
    reason: Reason


class Because(Body):
    model_config = example(reason="their disk was full")

    reason: Reason


class SecretView(View):
    """A secret, which is shown this once."""

    id: UUID
    secret: str


class StateView(View):
    """`changed` is false if it was so before."""

    id: UUID
    state: SubscriptionState
    changed: bool


class TestView(View):
    """The number of the delivery that was made."""

    __test__ = False
    delivery: int


class RetriedView(View):
    retried: int


class RemovedView(View):
    removed: UUID


class SubscriptionsView(View):
    subscriptions: list[SubscriptionStatus]


class DeliveriesView(View):
    deliveries: list[WebhookDelivery]
    next: int | None


class WebhookActionsView(View):
    actions: list[WebhookAction]
