"""Deliveries: one message for one subscription, with its attempts, until it is delivered or has failed for good."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from ordersaga.parked.operator import Operator
from ordersaga.readside.rows import Row, columns, select
from ordersaga.webhooks import payload
from ordersaga.webhooks.payload import TEST
from ordersaga.webhooks.subscriptions import fetch_one, record

DeliveryState = Literal["pending", "delivered", "failed"]


class UnknownDelivery(LookupError):
    """There is no delivery with this number; it may be older than WEBHOOK_RETENTION_DAYS."""


class DeliveryAttempt(Row):
    """One attempt of a delivery: the status of the answer, or why there was none."""

    at: datetime
    status: int | None
    error: str
    answer: str
    """The beginning of the body of an answer."""
    seconds: float


class WebhookDelivery(Row):
    """One delivery without its body; the attempts are the last ones, the newest last."""

    id: int
    subscription_id: UUID
    message_id: UUID
    type: str
    key: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    history: list[DeliveryAttempt]
    created_at: datetime
    ended_at: datetime | None


class DeliveryToSend(WebhookDelivery):
    body: str


class NewDelivery(NamedTuple):
    message_id: UUID
    type: str
    key: str
    body: str


class DeliveryResult(NamedTuple):
    """What an attempt led to."""

    delivery: WebhookDelivery
    attempt: DeliveryAttempt
    state: DeliveryState
    pause: float
    """Seconds until the next attempt, if there is one."""


INSERT = """
insert into webhook_deliveries (subscription_id, message_id, type, key, body, state, next_attempt_at)
select %(subscription)s, each.*, 'pending', now()
from unnest(%(ids)s::uuid[], %(types)s::text[], %(keys)s::text[], %(bodies)s::text[]) as each
on conflict (subscription_id, message_id) do nothing
returning id
"""
HEADS = SQL("""
select {} from (
    select distinct on (subscription_id, key) *,
        row_number() over (partition by subscription_id order by id) as number
    from webhook_deliveries
    where state = 'pending' and (subscription_id = any(%(active)s) or type = 'webhooks.test')
    order by subscription_id, key, id) as heads
where next_attempt_at <= now() and id <> all(%(under_way)s)
order by number, id limit %(limit)s
""").format(columns(DeliveryToSend))
"""The first pending delivery of each key, so that none overtakes another; of each subscription some."""
RECORD_RESULTS = """
update webhook_deliveries d
set state = r.state, attempts = d.attempts + 1, history = r.history,
    next_attempt_at = case when r.state = 'pending' then now() + make_interval(secs => r.pause) end,
    ended_at = case when r.state <> 'pending' then now() end
from unnest(%(ids)s::bigint[], %(states)s::text[], %(pauses)s::float8[], %(histories)s::jsonb[])
    as r (id, state, pause, history)
where d.id = r.id and d.state = 'pending'
"""
PAGE = SQL("""
select {} from webhook_deliveries
where subscription_id = %(subscription)s and (%(state)s::text is null or state = %(state)s) and id < %(before)s
order by id desc limit %(limit)s
""")
NEWEST = SQL("""
select {} from (
    select newest.* from webhook_subscriptions s cross join lateral (
        select * from webhook_deliveries d where d.subscription_id = s.id order by d.id desc limit 1) as newest
    ) as found
""")
ONE = SQL("select {} from webhook_deliveries where id = %(id)s")
RETRY = """
with retried as (
    update webhook_deliveries set state = 'pending', attempts = 0, next_attempt_at = now(), ended_at = null
    where {} returning subscription_id)
update webhook_subscriptions set failures = 0 where id in (select subscription_id from retried)
returning id, (select count(*) from retried)
"""
"""Without failures, the endpoint is tried at once, and not after its pause."""
PURGE = """
delete from webhook_deliveries where id = any(array(
    select id from webhook_deliveries where ended_at < now() - make_interval(secs => %s * 86400)
    order by ended_at limit 1000))
"""
LAST_ID = 2**63 - 1
MAX_HISTORY = 20


def insert(connection: Connection[Any], subscription: UUID, new: Sequence[NewDelivery]) -> list[int]:
    """Add deliveries that are due now, each message once. Returns the numbers of the new ones."""
    ids, types, keys, bodies = (list(column) for column in zip(*new, strict=True)) if new else ([], [], [], [])
    values = {"subscription": subscription, "ids": ids, "types": types, "keys": keys, "bodies": bodies}
    return [number for (number,) in connection.execute(INSERT, values)] if new else []


def add_test(connection: Connection[Any], subscription_id: UUID, source: str, operator: Operator) -> int:
    """Add a test, which is sent at once. Returns its number. Raises UnknownSubscription."""
    with connection.transaction():
        subscription = fetch_one(connection, subscription_id)
        event = payload.test_event(uuid4(), source, datetime.now(UTC).isoformat(), operator.actor)
        body = payload.rendered(event, subscription.format)
        # A key of its own: no test waits behind another.
        new = NewDelivery(UUID(event["id"]), TEST, f"{TEST} {event['id']}", body)
        [number] = insert(connection, subscription_id, [new])
        record(connection, subscription_id, "test", operator, delivery=number)
    return number


def heads(
    connection: Connection[Any], active: Iterable[UUID], under_way: Iterable[int], limit: int
) -> list[DeliveryToSend]:
    """Due deliveries, at most one of each key, of several subscriptions in turn."""
    values = {"active": list(active), "under_way": list(under_way), "limit": limit}
    return select(connection, DeliveryToSend, HEADS, values)


def record_results(connection: Connection[Any], results: Sequence[DeliveryResult]) -> None:
    """Record attempts, in one statement."""
    histories = [[*each.delivery.history, each.attempt][-MAX_HISTORY:] for each in results]
    values = {
        "ids": [each.delivery.id for each in results],
        "states": [each.state for each in results],
        "pauses": [each.pause for each in results],
        "histories": [Jsonb([attempt.model_dump(mode="json") for attempt in history]) for history in histories],
    }
    connection.execute(RECORD_RESULTS, values)


def page(
    connection: Connection[Any],
    subscription_id: UUID,
    state: DeliveryState | None = None,
    limit: int = 50,
    before: int = LAST_ID,
) -> list[WebhookDelivery]:
    """Deliveries of a subscription, the newest first."""
    values = {"subscription": subscription_id, "state": state, "limit": limit, "before": before}
    return select(connection, WebhookDelivery, PAGE.format(columns(WebhookDelivery)), values)


def newest(connection: Connection[Any]) -> dict[UUID, WebhookDelivery]:
    """The newest delivery of each subscription that has one."""
    found = select(connection, WebhookDelivery, NEWEST.format(columns(WebhookDelivery)), {})
    return {each.subscription_id: each for each in found}


def show(connection: Connection[Any], number: int) -> DeliveryToSend:
    """One delivery with its body. Raises UnknownDelivery."""
    found = select(connection, DeliveryToSend, ONE.format(columns(DeliveryToSend)), {"id": number})
    if not found:
        raise unknown(number)
    return found[0]


def retry(connection: Connection[Any], number: int, operator: Operator) -> None:
    """Send it now, with all its attempts; also one that was delivered. Raises UnknownDelivery."""
    with connection.transaction():
        row = connection.execute(RETRY.format("id = %s").encode(), (number,)).fetchone()
        if row is None:
            raise unknown(number)
        record(connection, row[0], "retry", operator, delivery=number)


def retry_failed(connection: Connection[Any], subscription_id: UUID, operator: Operator) -> int:
    """Send all that have failed for good again. Returns their number. Raises UnknownSubscription."""
    with connection.transaction():
        fetch_one(connection, subscription_id)
        wanted = "subscription_id = %s and state = 'failed'"
        row = connection.execute(RETRY.format(wanted).encode(), (subscription_id,)).fetchone()
        if row:
            record(connection, subscription_id, "retry", operator, deliveries=row[1])
    return row[1] if row else 0


def purge(connection: Connection[Any], days: float) -> int:
    """Delete up to a thousand deliveries that ended so many days ago. Returns their number."""
    return connection.execute(PURGE, (days,)).rowcount


def unknown(number: int) -> UnknownDelivery:
    return UnknownDelivery(f"there is no delivery {number}; ended ones are kept for WEBHOOK_RETENTION_DAYS")
