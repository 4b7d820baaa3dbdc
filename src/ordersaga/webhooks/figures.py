"""The metrics of webhooks, and the statement that gives their values."""

from typing import Any

from prometheus_client import Counter, Gauge
from psycopg import Connection

attempts = Counter(
    "ordersaga_webhooks_attempts_total",
    "Attempts at deliveries by outcome: delivered, to be retried, failed for good",
    ["outcome"],
)
pending = Gauge(
    "ordersaga_webhooks_pending_deliveries", "Deliveries to be sent, by the subscription's state", ["state"]
)
oldest = Gauge("ordersaga_webhooks_oldest_delivery_seconds", "Age of the oldest pending delivery", ["state"])
subscriptions = Gauge("ordersaga_webhooks_subscriptions", "Subscriptions by state", ["state"])
for outcome in ("delivered", "retried", "failed"):
    attempts.labels(outcome)
STATES = ("active", "paused", "disabled")

FIGURES = """
select s.state, count(*), coalesce(sum(d.number), 0)::bigint,
    coalesce(extract(epoch from now() - min(d.oldest)), 0)::float8
from webhook_subscriptions s cross join lateral (
    select count(*) as number, min(created_at) as oldest from webhook_deliveries
    where subscription_id = s.id and state = 'pending') as d
group by s.state
"""


def update(connection: Connection[Any]) -> None:
    """Set the gauges; one statement."""
    found = {state: figures for state, *figures in connection.execute(FIGURES)}
    for state in STATES:
        number, waiting, age = found.get(state, (0, 0, 0.0))
        subscriptions.labels(state).set(number)
        pending.labels(state).set(waiting)
        oldest.labels(state).set(age)
