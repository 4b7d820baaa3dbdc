"""Webhooks: subscriptions, deliveries, and what people did to them."""

from alembic import op

revision = "0003"
down_revision = "0002"

SUBSCRIPTIONS = """
create table webhook_subscriptions (
    id uuid primary key,
    url text not null,
    events text[] not null,
    format text not null check (format in ('cloudevents', 'text')),
    description text not null,
    secret text not null,
    old_secret text,
    old_secret_until timestamptz,
    state text not null check (state in ('active', 'paused', 'disabled')),
    state_reason text not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    first_position bigint not null,
    position bigint not null,
    alarm_position bigint not null default 0,
    failures integer not null default 0,
    failing_since timestamptz,
    last_success_at timestamptz
);
"""

DELIVERIES = """
create table webhook_deliveries (
    id bigint generated always as identity primary key,
    subscription_id uuid not null references webhook_subscriptions (id) on delete cascade,
    message_id uuid not null,
    type text not null,
    key text not null,
    body text not null,
    state text not null check (state in ('pending', 'delivered', 'failed')),
    attempts smallint not null default 0,
    next_attempt_at timestamptz,
    history jsonb not null default '[]',
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    unique (subscription_id, message_id)
);
create index webhook_deliveries_pending on webhook_deliveries (subscription_id, id) where state = 'pending';
create index webhook_deliveries_failed on webhook_deliveries (subscription_id, id) where state = 'failed';
create index webhook_deliveries_newest on webhook_deliveries (subscription_id, id);
create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;
"""

ACTIONS = """
create table webhook_actions (
    position bigint generated always as identity primary key,
    subscription_id uuid not null,
    action text not null,
    actor text not null,
    reason text not null,
    acted_at timestamptz not null default clock_timestamp(),
    detail jsonb not null
);
create index webhook_actions_subscription on webhook_actions (subscription_id, position);
"""


def upgrade() -> None:
    for statement in (SUBSCRIPTIONS, DELIVERIES, ACTIONS):
        op.execute(statement)
