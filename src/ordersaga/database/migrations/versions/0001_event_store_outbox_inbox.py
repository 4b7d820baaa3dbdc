"""The event store, the outbox and its cursor, the inbox, and what waits: parked messages, keys, deadlines."""

from alembic import op

revision = "0001"
down_revision = None

EVENT_STORE = """
create table stored_events (
    originator_id uuid not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    position bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    recorded_at timestamptz not null default now(),
    correlation_id uuid,
    causation_id uuid,
    actor text not null,
    hash bytea not null,
    primary key (originator_id, originator_version),
    constraint stored_events_position unique (position)
);
create index stored_events_window on stored_events (xid, position);
create index stored_events_first on stored_events (topic, position) where originator_version = 1;

create table snapshots (
    originator_id uuid not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    hash bytea not null,
    primary key (originator_id, originator_version)
);
"""

APPEND_ONLY = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused', tg_table_name, tg_op
        using errcode = 'insufficient_privilege',
              hint = 'Record a new event that corrects the old one.';
end
$$;
create trigger stored_events_append_only before update or delete or truncate on stored_events
    for each statement execute function refuse_change();
"""

OUTBOX = """
create table outbox (
    position bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    message_id uuid not null,
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
    body text not null
);
create index outbox_window on outbox (xid, position);

create table relay_cursor (
    single boolean primary key default true check (single),
    system_identifier text not null,
    published pg_snapshot not null,
    target pg_snapshot,
    confirmed_position bigint,
    xid xid8 not null default pg_current_xact_id(),
    moved_at timestamptz not null default now()
);
comment on column relay_cursor.published is 'S1: everything visible in it is confirmed';
comment on column relay_cursor.target is 'S2: end of the window under way, null between windows';
comment on column relay_cursor.confirmed_position is 'the window is confirmed up to here';
"""

INBOX = """
create table inbox (
    message_id uuid primary key,
    contract text not null,
    source text not null,
    event_hash bytea not null,
    received_at timestamptz not null default now()
);
create index inbox_received_at on inbox using brin (received_at);

create table parked_messages (
    position bigint generated always as identity primary key,
    message_id uuid not null unique,
    key text,
    contract text,
    routing_key text not null,
    headers jsonb not null,
    body bytea not null,
    state text not null check (state in ('retrying', 'waiting', 'dead')),
    error text not null default '',
    place text not null default '',
    message text not null default '',
    traceback text not null default '',
    attempts smallint not null default 0,
    next_attempt_at timestamptz,
    tried_at timestamptz,
    parked_at timestamptz not null default now()
);
comment on column parked_messages.key is 'null: nothing waits behind it';
comment on column parked_messages.place is 'file, line and function that raised';
comment on column parked_messages.next_attempt_at is 'null: no attempt of its own accord';
comment on column parked_messages.tried_at is 'when the attempt under way began; null when none is';
create index parked_messages_key on parked_messages (key, position);
create index parked_messages_due on parked_messages (next_attempt_at) where state = 'retrying';
"""

WAITING = """
create table idempotency_keys (
    caller text not null,
    key text not null,
    request_hash bytea not null,
    status smallint not null,
    headers jsonb not null,
    body text not null,
    created_at timestamptz not null default now(),
    primary key (caller, key)
);

create table deadlines (
    name text not null,
    aggregate_id uuid not null,
    due_at timestamptz not null,
    correlation_id uuid not null,
    causation_id uuid,
    traceparent text not null,
    tracestate text not null,
    primary key (name, aggregate_id)
);
create index deadlines_due_at on deadlines (due_at);
"""

PARKED_ACTIONS = """
alter table parked_messages add column edits smallint not null default 0, add column original_body bytea;
comment on column parked_messages.original_body is 'as it came; null when nobody has edited it';

create table parked_actions (
    position bigint generated always as identity primary key,
    action text not null check (action in ('retry', 'edit', 'skip')),
    message_id uuid not null,
    key text,
    contract text,
    actor text not null,
    reason text not null,
    acted_at timestamptz not null default now(),
    state text not null,
    attempts smallint not null,
    error text not null,
    place text not null,
    headers jsonb,
    body bytea,
    new_body bytea
);
comment on column parked_actions.state is 'as it was before the action, like the following columns';
comment on column parked_actions.headers is 'null after a retry, which changes no message';
comment on column parked_actions.new_body is 'what an edit put in its place';
create index parked_actions_message on parked_actions (message_id, position);
create trigger parked_actions_append_only before update or delete or truncate on parked_actions
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    for statements in (EVENT_STORE, APPEND_ONLY, OUTBOX, INBOX, WAITING, PARKED_ACTIONS):
        op.execute(statements)
