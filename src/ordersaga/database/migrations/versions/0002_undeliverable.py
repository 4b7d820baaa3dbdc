"""Messages that the broker did not take, and what people did about them."""

from alembic import op

revision = "0002"
down_revision = "0001"

UNDELIVERABLE = """
create table undeliverable (
    message_id uuid primary key,
    position bigint not null,
    contract text not null,
    source text not null,
    key text not null,
    sequence bigint not null,
    time timestamptz not null,
    event_hash bytea not null,
    correlation_id uuid not null,
    causation_id uuid,
    actor text not null,
    traceparent text not null,
    tracestate text not null,
    body text not null,
    kind text not null check (kind in ('nacked', 'returned', 'too_large', 'waits')),
    reason text not null,
    attempts integer not null,
    next_attempt_at timestamptz,
    refused_at timestamptz not null default now()
);
comment on column undeliverable.position is 'of its row in the outbox: the order within a key';
comment on column undeliverable.next_attempt_at is
    'null: when nothing of its key is before it (waits), or when a person says so (too_large)';
create index undeliverable_key on undeliverable (key, position);
"""

UNDELIVERABLE_ACTIONS = """
create table undeliverable_actions (
    position bigint generated always as identity primary key,
    action text not null check (action in ('redrive', 'discard')),
    message_id uuid not null,
    key text not null,
    contract text not null,
    actor text not null,
    reason text not null,
    acted_at timestamptz not null default now(),
    kind text not null,
    refusal text not null,
    attempts integer not null,
    body text
);
comment on column undeliverable_actions.kind is 'as it was before the action, like the following columns';
comment on column undeliverable_actions.body is 'null after a redrive, which takes no message away';
create index undeliverable_actions_message on undeliverable_actions (message_id, position);
create trigger undeliverable_actions_append_only before update or delete or truncate on undeliverable_actions
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    op.execute(UNDELIVERABLE)
    op.execute(UNDELIVERABLE_ACTIONS)
