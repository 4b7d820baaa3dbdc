"""Subscriptions: who gets which messages at which address, and what people did to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from ordersaga.parked.operator import Operator
from ordersaga.readside.rows import Row, columns, select
from ordersaga.webhooks.destination import DestinationRefused, Guard
from ordersaga.webhooks.sealing import SecretBox, new_secret

ALARMS = "alarms"
"""Subscribes to alarms instead of contracts."""
ROTATION = timedelta(hours=24)
"""How long the old secret stays valid beside a new one."""
MAX_SUBSCRIPTIONS = 100
SubscriptionState = Literal["active", "paused", "disabled"]
Format = Literal["cloudevents", "text"]


class UnknownSubscription(LookupError):
    """There is no subscription with this id."""


class SubscriptionRefused(ValueError):
    """The subscription cannot be added or changed so; the text says why."""


class Subscription(Row):
    """One subscription, without its secrets."""

    id: UUID
    url: str
    events: list[str]
    """Contracts, patterns such as `books.*`, or `alarms`."""
    format: Format
    description: str
    state: SubscriptionState
    state_reason: str
    created_by: str
    created_at: datetime
    position: int
    """Of the last message of the log that was looked at."""
    alarm_position: int
    failures: int
    """Failed attempts since the last delivery."""
    failing_since: datetime | None
    last_success_at: datetime | None
    old_secret_until: datetime | None


class SubscriptionStatus(Subscription):
    """A subscription with the number of its deliveries."""

    pending: int
    failed: int
    oldest_pending_at: datetime | None


class WebhookAction(Row):
    """What a person did to a subscription or a delivery."""

    position: int
    subscription_id: UUID
    action: str
    actor: str
    reason: str
    acted_at: datetime
    detail: dict[str, Any]


@dataclass(frozen=True)
class NewSubscription:
    """What a person asks for."""

    url: str
    events: Sequence[str]
    format: Format = "cloudevents"
    description: str = ""
    from_start: bool = False
    """Whether it gets the whole event log, and not only what is logged from now on."""


STATUSES = SQL("""
select {}, pending.number as pending, failed.number as failed, pending.oldest as oldest_pending_at
from webhook_subscriptions s
    cross join lateral (select count(*) as number, min(d.created_at) as oldest from webhook_deliveries d
        where d.subscription_id = s.id and d.state = 'pending') as pending
    cross join lateral (select count(*) as number from webhook_deliveries d
        where d.subscription_id = s.id and d.state = 'failed') as failed
where %(id)s::uuid is null or s.id = %(id)s
order by s.created_at, s.id
""").format(columns(Subscription))
"""Columns of the deliveries are aliased, so those of the subscription need no table."""
ADD = """
insert into webhook_subscriptions
    (id, url, events, format, description, secret, state, state_reason, created_by, first_position, position)
select %(id)s, %(url)s, %(events)s, %(format)s, %(description)s, %(secret)s, 'active', '', %(actor)s, head, head
from (select case when %(from_start)s then 0 else coalesce(max(position), 0) end as head from event_log) as log
where (select count(*) from webhook_subscriptions) < %(most)s
returning id
"""
RECORD = """
insert into webhook_actions (subscription_id, action, actor, reason, detail) values (%s, %s, %s, %s, %s)
"""
SET_STATE = """
update webhook_subscriptions set state = %(state)s, state_reason = %(reason)s,
    failures = case when %(state)s = 'active' then 0 else failures end,
    failing_since = case when %(state)s = 'active' then null else failing_since end
where id = %(id)s and state <> %(state)s returning id
"""
ROTATE = """
update webhook_subscriptions set old_secret = secret, old_secret_until = now() + %(keep)s, secret = %(secret)s
where id = %(id)s returning id
"""
REMOVE = "delete from webhook_subscriptions where id = %s returning url"
ACTIONS = SQL("select {} from webhook_actions where %(id)s::uuid is null or subscription_id = %(id)s {}").format(
    columns(WebhookAction), SQL("order by position desc limit %(limit)s")
)


def matching(events: Iterable[str], contracts: Iterable[str]) -> list[str]:
    """The contracts that the patterns of a subscription name."""
    patterns = list(events)
    return [contract for contract in contracts if any(fnmatchcase(contract, pattern) for pattern in patterns)]


def require_events(events: Sequence[str], contracts: Iterable[str]) -> None:
    """Raises SubscriptionRefused: a pattern names no contract."""
    known = sorted(contracts)
    if not events:
        raise SubscriptionRefused(f"Say which events: contracts, patterns such as 'books.*', or {ALARMS!r}.")
    for pattern in events:
        if pattern != ALARMS and not matching([pattern], known):
            raise SubscriptionRefused(f"{pattern!r} names no contract. There are {', '.join(known)}, and {ALARMS!r}.")


def add(
    connection: Connection[Any],
    wanted: NewSubscription,
    contracts: Iterable[str],
    guard: Guard,
    box: SecretBox,
    operator: Operator,
) -> tuple[UUID, str]:
    """Returns its id and its secret, which nobody is shown again. Raises SubscriptionRefused."""
    require_events(wanted.events, contracts)
    try:
        guard.check(wanted.url)
    except DestinationRefused as refused:
        raise SubscriptionRefused(f"{wanted.url} cannot be used: {refused}.") from None
    secret, id_ = new_secret(), uuid4()
    values = {**vars(wanted), "events": list(dict.fromkeys(wanted.events)), "id": id_, "actor": operator.actor}
    with connection.transaction():
        if not connection.execute(ADD, {**values, "secret": box.seal(secret), "most": MAX_SUBSCRIPTIONS}).fetchone():
            raise SubscriptionRefused(f"There are {MAX_SUBSCRIPTIONS} subscriptions already. Remove an unused one.")
        record(connection, id_, "add", operator, url=wanted.url, events=list(wanted.events))
    return id_, secret


def record(connection: Connection[Any], id_: UUID, action: str, operator: Operator, **detail: Any) -> None:
    """Record what a person did, in the caller's transaction."""
    connection.execute(RECORD, (id_, action, *operator.storable(), Jsonb(detail)))


def statuses(connection: Connection[Any], id_: UUID | None = None) -> list[SubscriptionStatus]:
    """All subscriptions, the oldest first, or one."""
    return select(connection, SubscriptionStatus, STATUSES, {"id": id_})


def fetch_one(connection: Connection[Any], id_: UUID) -> SubscriptionStatus:
    """Raises UnknownSubscription."""
    found = statuses(connection, id_)
    if not found:
        raise unknown(id_)
    return found[0]


def pause(connection: Connection[Any], id_: UUID, operator: Operator) -> bool:
    """Send it nothing until it is resumed; nothing is lost. Returns False when it was paused."""
    return set_state(connection, id_, "paused", "pause", operator)


def resume(connection: Connection[Any], id_: UUID, operator: Operator) -> bool:
    """Send again, from where it stopped. Returns False when it was active."""
    return set_state(connection, id_, "active", "resume", operator)


def set_state(
    connection: Connection[Any], id_: UUID, state: SubscriptionState, action: str, operator: Operator
) -> bool:
    """Raises UnknownSubscription."""
    reason = "" if state == "active" else f"{operator.actor}: {operator.reason}"
    with connection.transaction():
        fetch_one(connection, id_)
        changed = connection.execute(SET_STATE, {"id": id_, "state": state, "reason": reason}).fetchone()
        if changed:
            record(connection, id_, action, operator)
    return changed is not None


def rotate(
    connection: Connection[Any], id_: UUID, box: SecretBox, operator: Operator, keep: timedelta = ROTATION
) -> str:
    """A new secret; the old one signs beside it for a while. Raises UnknownSubscription."""
    secret = new_secret()
    with connection.transaction():
        if not connection.execute(ROTATE, {"id": id_, "secret": box.seal(secret), "keep": keep}).fetchone():
            raise unknown(id_)
        record(connection, id_, "rotate", operator, keep_seconds=int(keep.total_seconds()))
    return secret


def remove(connection: Connection[Any], id_: UUID, operator: Operator) -> None:
    """Remove it with its deliveries. Raises UnknownSubscription."""
    with connection.transaction():
        row = connection.execute(REMOVE, (id_,)).fetchone()
        if row is None:
            raise unknown(id_)
        record(connection, id_, "remove", operator, url=row[0])


def actions(connection: Connection[Any], id_: UUID | None = None, limit: int = 100) -> list[WebhookAction]:
    """What people did, the newest first; also to removed subscriptions."""
    return select(connection, WebhookAction, ACTIONS, {"id": id_, "limit": limit})


def unknown(id_: UUID) -> UnknownSubscription:
    return UnknownSubscription(f"there is no subscription {id_}")
