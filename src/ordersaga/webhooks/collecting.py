"""From the event log and the alarms to deliveries: each subscription reads both at its own positions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL

from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import kind_of, read_as
from ordersaga.readside.events import COLUMNS, LoggedEvent, head
from ordersaga.readside.rows import select
from ordersaga.runtime import failpoints
from ordersaga.webhooks import deliveries, payload
from ordersaga.webhooks.deliveries import NewDelivery
from ordersaga.webhooks.payload import AlarmChange
from ordersaga.webhooks.subscriptions import ALARMS, Subscription, matching

PAGE = 200
MAX_PENDING = 1000
"""Pending deliveries of one subscription; while it has so many, its position waits, and the log keeps the rest."""


class Feed(NamedTuple):
    """What subscriptions choose from."""

    name: str
    contracts: Mapping[str, type[ContractData]]
    """Name -> the newest version that a message of this name is read as."""
    alarm_changes: str
    """The statement of the ReadSide; empty without alarms."""
    dashboard_url: str


class Place(NamedTuple):
    """Where a subscription has got to."""

    position: int
    alarm_position: int
    pending: int


PLACE = """
select position, alarm_position, (select count(*) from (
    select from webhook_deliveries where subscription_id = %(id)s and state = 'pending' limit %(most)s) as found)
from webhook_subscriptions where id = %(id)s and state = 'active' for update
"""
EVENTS = SQL("""
select {} from event_log
where position > %(after)s and position <= %(head)s and contract = any(%(contracts)s) order by position limit %(limit)s
""").format(COLUMNS)
MOVE = "update webhook_subscriptions set position = %s where id = %s"
MOVE_ALARMS = "update webhook_subscriptions set alarm_position = %s where id = %s"


def collect(connection: Connection[Any], subscriptions: Iterable[Subscription], feed: Feed) -> None:
    """Turn what is new into deliveries of active subscriptions, a page each."""
    end = head(connection)
    for subscription in subscriptions:
        if subscription.state == "active":
            wanted = matching(subscription.events, feed.contracts)
            if wanted and subscription.position < end:
                collect_messages(connection, subscription, wanted, feed.contracts)
            if feed.alarm_changes and ALARMS in subscription.events:
                collect_alarms(connection, subscription, feed)


def collect_messages(
    connection: Connection[Any],
    subscription: Subscription,
    wanted: list[str],
    contracts: Mapping[str, type[ContractData]],
) -> None:
    """One page of the log; the deliveries and the new position are one transaction.

    A subscription that names one version of a contract gets all: those that it names as they were received, the others
    upcast to the newest, so that it misses nothing when the source announces a newer one.

    The row of the subscription is locked, so two processes cannot read the same page. Positions become visible in
    order, so whatever is not there yet comes behind `end`.
    """
    with connection.transaction():
        place = lock(connection, subscription.id)
        if place is None or place.pending >= MAX_PENDING:
            return
        end = head(connection)
        values = {"after": place.position, "head": end, "contracts": of_their_kinds(wanted, contracts), "limit": PAGE}
        found = select(connection, LoggedEvent, EVENTS, values)
        named = (as_named(event, wanted, contracts) for event in found)
        new = [new_delivery(payload.cloud_event(event), event.key, subscription.format) for event in named]
        deliveries.insert(connection, subscription.id, new)
        connection.execute(MOVE, (found[-1].position if len(found) == PAGE else end, subscription.id))
        failpoints.reach("webhook.before-commit")
    failpoints.reach("webhook.collected")


def of_their_kinds(wanted: Iterable[str], contracts: Iterable[str]) -> list[str]:
    """The names among these contracts that are a version of a wanted one."""
    kinds = {kind_of(name) for name in wanted}
    return [name for name in contracts if kind_of(name) in kinds]


def as_named(event: LoggedEvent, wanted: Sequence[str], contracts: Mapping[str, type[ContractData]]) -> LoggedEvent:
    """The event as it was received if the subscription names its version, else in the newest version."""
    newest = contracts[event.contract]
    if event.contract in wanted or event.contract == newest.NAME:
        return event
    data = read_as(newest, event.contract, json.dumps(event.body))
    return event.model_copy(update={"contract": newest.NAME, "body": json.loads(data.model_dump_json())})


def collect_alarms(connection: Connection[Any], subscription: Subscription, feed: Feed) -> None:
    """One page of the changes of alarms since the subscription was made; a look at nothing new is one statement."""
    values = {"after": subscription.alarm_position, "limit": PAGE}
    if not changes(connection, feed, values):
        return
    with connection.transaction():
        place = lock(connection, subscription.id)
        if place is None or place.pending >= MAX_PENDING:
            return
        found = changes(connection, feed, {**values, "after": place.alarm_position})
        events = [
            payload.alarm_event(change, feed.name, feed.dashboard_url)
            for change in found
            if change.at >= subscription.created_at
        ]
        new = [new_delivery(event, f"{ALARMS} {event['subject']}", subscription.format) for event in events]
        deliveries.insert(connection, subscription.id, new)
        if found:
            connection.execute(MOVE_ALARMS, (found[-1].position, subscription.id))


def changes(connection: Connection[Any], feed: Feed, values: Mapping[str, Any]) -> list[AlarmChange]:
    return select(connection, AlarmChange, SQL(feed.alarm_changes), values)


def lock(connection: Connection[Any], id_: UUID) -> Place | None:
    """Where an active subscription has got to, which nobody changes until the transaction ends."""
    row = connection.execute(PLACE, {"id": id_, "most": MAX_PENDING}).fetchone()
    return Place(*row) if row else None


def new_delivery(event: dict[str, Any], key: str, format_: str) -> NewDelivery:
    return NewDelivery(UUID(event["id"]), event["type"], key, payload.rendered(event, format_))
