"""Webhooks over HTTP, for operators alone: the addresses of chats are secrets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from psycopg import Connection

from ordersaga.http.app import Api, api, caller
from ordersaga.http.endpoints import answer, respond
from ordersaga.http.openapi import View, only, problem
from ordersaga.http.paging import page_of
from ordersaga.http.problems import Problem
from ordersaga.http.webhook_views import (
    ActionsQuery,
    Because,
    DeliveriesQuery,
    DeliveriesView,
    DeliveryPath,
    RemovedView,
    RetriedView,
    SecretView,
    StateView,
    Subscribe,
    SubscriptionPath,
    SubscriptionsView,
    TestView,
    WebhookActionsView,
)
from ordersaga.parked.operator import Operator
from ordersaga.runtime.settings import MissingSetting
from ordersaga.webhooks import deliveries, subscriptions
from ordersaga.webhooks.deliveries import UnknownDelivery
from ordersaga.webhooks.destination import Guard
from ordersaga.webhooks.sealing import SecretBox
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.subscriptions import (
    NewSubscription,
    SubscriptionRefused,
    SubscriptionStatus,
    UnknownSubscription,
)

routes = APIBlueprint("webhooks", __name__, abp_responses={"default": problem()})
operators = only("operator")
UNKNOWN = problem("There is no such subscription or delivery")
REFUSED = problem("Where it may not go, or which events there are not")
EXTENSION = "webhooks"


@dataclass(frozen=True)
class Adding:
    """What adding a subscription needs."""

    contracts: Sequence[str]
    guard: Guard
    box: SecretBox


def mount_webhooks(app: Api, settings: WebhookSettings, contracts: Sequence[str]) -> None:
    """Serve /webhooks of the app's read side. Raises MissingSetting: WEBHOOK_ALLOW is wrong."""
    try:
        guard = Guard(settings)
    except ValueError as error:
        raise MissingSetting(f"{error}.") from None
    app.extensions[EXTENSION] = Adding(contracts, guard, SecretBox(settings.webhook_secrets_key))
    app.mount(routes)


def adding() -> Adding:
    return cast(Adding, api().extensions[EXTENSION])


@contextmanager
def connected() -> Iterator[Connection[Any]]:
    """Turns the errors of webhooks into problem documents."""
    try:
        with api().database.connection() as connection:
            yield connection
    except (UnknownSubscription, UnknownDelivery) as error:
        raise Problem(404, "unknown-webhook", f"Nothing was done: {error}.") from None
    except SubscriptionRefused as error:
        raise Problem(422, "webhook-refused", f"Nothing was done: {error}") from None


def operator(body: Because | Subscribe) -> Operator:
    return Operator(caller().subject, body.reason)


def view(shown: View, status: int = 200) -> Response:
    return respond(answer(status, shown))


def view_secret(shown: SecretView, status: int = 200) -> Response:
    response = view(shown, status)
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.get("/webhooks", responses={200: SubscriptionsView}, security=operators)
def list_subscriptions() -> Response:
    """All subscriptions, with what waits to be sent and what has failed"""
    with connected() as connection:
        return view(SubscriptionsView(subscriptions=subscriptions.statuses(connection)))


@routes.post("/webhooks", responses={201: SecretView, 422: REFUSED}, security=operators)
def add_subscription(body: Subscribe) -> Response:
    """Subscribe an address to messages or alarms; the answer shows the secret once"""
    known = adding()
    wanted = NewSubscription(body.url, body.events, body.format, body.description, body.from_start)
    with connected() as connection:
        id_, secret = subscriptions.add(connection, wanted, known.contracts, known.guard, known.box, operator(body))
    return view_secret(SecretView(id=id_, secret=secret), 201)


@routes.get("/webhooks/actions", responses={200: WebhookActionsView}, security=operators)
def list_webhook_actions(query: ActionsQuery) -> Response:
    """Who added, changed, tested or removed which subscription, and why"""
    with connected() as connection:
        return view(WebhookActionsView(actions=subscriptions.actions(connection, limit=query.limit)))


@routes.get("/webhooks/<uuid:subscription_id>", responses={200: SubscriptionStatus, 404: UNKNOWN}, security=operators)
def show_subscription(path: SubscriptionPath) -> Response:
    """One subscription"""
    with connected() as connection:
        return respond(answer(200, subscriptions.fetch_one(connection, path.subscription_id)))


@routes.get(
    "/webhooks/<uuid:subscription_id>/deliveries", responses={200: DeliveriesView, 404: UNKNOWN}, security=operators
)
def list_deliveries(path: SubscriptionPath, query: DeliveriesQuery) -> Response:
    """A page of its deliveries with their last attempts, the newest first"""
    with connected() as connection:
        subscriptions.fetch_one(connection, path.subscription_id)
        found = deliveries.page(connection, path.subscription_id, query.state, query.limit + 1, query.before)
    page, following = page_of(found, query.limit, lambda delivery: delivery.id)
    return view(DeliveriesView(deliveries=page, next=following))


@routes.post("/webhooks/<uuid:subscription_id>/pause", responses={200: StateView, 404: UNKNOWN}, security=operators)
def pause_subscription(path: SubscriptionPath, body: Because) -> Response:
    """Send it nothing until it is resumed; nothing is lost"""
    with connected() as connection:
        changed = subscriptions.pause(connection, path.subscription_id, operator(body))
    return view(StateView(id=path.subscription_id, state="paused", changed=changed))


@routes.post("/webhooks/<uuid:subscription_id>/resume", responses={200: StateView, 404: UNKNOWN}, security=operators)
def resume_subscription(path: SubscriptionPath, body: Because) -> Response:
    """Send again, from where it was paused or disabled"""
    with connected() as connection:
        changed = subscriptions.resume(connection, path.subscription_id, operator(body))
    return view(StateView(id=path.subscription_id, state="active", changed=changed))


@routes.post("/webhooks/<uuid:subscription_id>/rotate", responses={200: SecretView, 404: UNKNOWN}, security=operators)
def rotate_secret(path: SubscriptionPath, body: Because) -> Response:
    """Make a new secret; the old one is valid beside it for a day"""
    with connected() as connection:
        secret = subscriptions.rotate(connection, path.subscription_id, adding().box, operator(body))
    return view_secret(SecretView(id=path.subscription_id, secret=secret))


@routes.post("/webhooks/<uuid:subscription_id>/test", responses={202: TestView, 404: UNKNOWN}, security=operators)
def send_test(path: SubscriptionPath, body: Because) -> Response:
    """Send a test, once; its delivery says what came back"""
    with connected() as connection:
        number = deliveries.add_test(connection, path.subscription_id, api().service.name, operator(body))
    return view(TestView(delivery=number), 202)


@routes.post(
    "/webhooks/<uuid:subscription_id>/retry-failed", responses={200: RetriedView, 404: UNKNOWN}, security=operators
)
def retry_failed(path: SubscriptionPath, body: Because) -> Response:
    """Send all deliveries that have failed for good again"""
    with connected() as connection:
        return view(RetriedView(retried=deliveries.retry_failed(connection, path.subscription_id, operator(body))))


@routes.post("/webhooks/<uuid:subscription_id>/remove", responses={200: RemovedView, 404: UNKNOWN}, security=operators)
def remove_subscription(path: SubscriptionPath, body: Because) -> Response:
    """Remove a subscription with its deliveries. This cannot be undone"""
    with connected() as connection:
        subscriptions.remove(connection, path.subscription_id, operator(body))
    return view(RemovedView(removed=path.subscription_id))


@routes.post("/webhooks/deliveries/<int:number>/retry", responses={200: RetriedView, 404: UNKNOWN}, security=operators)
def retry_delivery(path: DeliveryPath, body: Because) -> Response:
    """Send a delivery now, with all its attempts; also one that was delivered"""
    with connected() as connection:
        deliveries.retry(connection, path.number, operator(body))
    return view(RetriedView(retried=1))
