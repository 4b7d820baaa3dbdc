"""What the results of attempts mean for their subscription: it is well, it fails, or it is disabled."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from ordersaga.runtime import failpoints
from ordersaga.webhooks.attempting import GONE
from ordersaga.webhooks.deliveries import DeliveryResult, record_results
from ordersaga.webhooks.payload import TEST
from ordersaga.webhooks.schedule import GIVE_UP_AFTER

SUCCEEDED = """
update webhook_subscriptions set failures = 0, failing_since = null, last_success_at = now() where id = %s
"""
FAILED = """
update webhook_subscriptions set failures = failures + %(number)s,
    failing_since = coalesce(failing_since, now()),
    state = case when %(gone)s or failing_since < now() - %(give_up)s then 'disabled' else state end,
    state_reason = case when %(gone)s then 'It answered 410 Gone.'
        when failing_since < now() - %(give_up)s then 'Every attempt of three days has failed; the last: ' || %(error)s
        else state_reason end
where id = %(id)s and state = 'active' returning state, state_reason
"""


class Disabled(NamedTuple):
    """A subscription that these results have disabled."""

    subscription_id: UUID
    reason: str


def record(connection: Connection[Any], results: Sequence[DeliveryResult]) -> list[Disabled]:
    """Record results in one transaction. Returns the subscriptions that are disabled by them; tests disable none."""
    by_subscription: dict[UUID, list[DeliveryResult]] = {}
    for result in results:
        if result.delivery.type != TEST:
            by_subscription.setdefault(result.delivery.subscription_id, []).append(result)
    with connection.transaction():
        record_results(connection, results)
        found = [record_for(connection, id_, each) for id_, each in by_subscription.items()]
        failpoints.reach("webhook.before-record")
    failpoints.reach("webhook.recorded")
    return [disabled for disabled in found if disabled]


def record_for(connection: Connection[Any], id_: UUID, results: Sequence[DeliveryResult]) -> Disabled | None:
    failed = [each.attempt for each in results if each.attempt.error]
    gone = any(attempt.status == GONE for attempt in failed)
    if not gone and len(failed) < len(results):
        connection.execute(SUCCEEDED, (id_,))
        return None
    values = {"id": id_, "number": len(failed), "gone": gone, "give_up": GIVE_UP_AFTER, "error": failed[-1].error}
    row = connection.execute(FAILED, values).fetchone()
    return Disabled(id_, row[1]) if row and row[0] == "disabled" else None
