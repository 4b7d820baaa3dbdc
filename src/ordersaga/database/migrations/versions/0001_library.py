"""The library's tables: event store, outbox, inbox, what waits for a person or for a time, keys of personal data."""

from alembic import op

revision = "0001"
down_revision = None

REFUSE_CHANGE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused', tg_table_name, tg_op
        using errcode = 'insufficient_privilege',
              hint = 'Record a new event that corrects the old one.';
end
$$;
"""

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
    'null: when it is the first of its key (waits), or when a person retries it (too_large)';
create index undeliverable_key on undeliverable (key, position);
"""

# A btree, though BRIN is smaller: a range of a BRIN index never shrinks. Once purged rows make room for new ones, every
# range reaches from the oldest to the newest, and a purge that finds nothing reads the whole table: 15,387 pages for
# a million rows, 4 with the btree. The same holds for idempotency_keys.
INBOX = """
create table inbox (
    message_id uuid primary key,
    contract text not null,
    source text not null,
    event_hash bytea not null,
    received_at timestamptz not null default now()
);
create index inbox_received_at on inbox (received_at);
"""

PARKED = """
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
    parked_at timestamptz not null default now(),
    edits smallint not null default 0,
    original_body bytea
);
comment on column parked_messages.key is 'null: nothing waits behind it';
comment on column parked_messages.place is 'file, line and function that raised';
comment on column parked_messages.next_attempt_at is 'null: no automatic attempt';
comment on column parked_messages.tried_at is 'when the attempt under way began; null when none is';
comment on column parked_messages.original_body is 'the body as delivered; null when nobody has edited it';
create index parked_messages_key on parked_messages (key, position);
create index parked_messages_due on parked_messages (next_attempt_at) where state = 'retrying';

create table parked_actions (
    position bigint generated always as identity primary key,
    refused_by text not null check (refused_by in ('reaction', 'broker')),
    action text not null check (action in ('retry', 'edit', 'skip')),
    message_id uuid not null,
    key text,
    contract text,
    correlation_id uuid,
    actor text not null,
    reason text not null,
    acted_at timestamptz not null default now(),
    state text not null,
    attempts smallint not null,
    error text not null,
    place text not null,
    message text not null,
    headers jsonb,
    body bytea,
    new_body bytea
);
comment on column parked_actions.state is 'as it was before the action, like the following columns';
comment on column parked_actions.correlation_id is 'null: the envelope is broken';
comment on column parked_actions.headers is
    'null after a retry, which changes no message, and where the broker refused it';
comment on column parked_actions.body is 'null after a retry';
comment on column parked_actions.new_body is 'what an edit put in its place';
create index parked_actions_message on parked_actions (message_id, position);
create trigger parked_actions_append_only before update or delete or truncate on parked_actions
    for each statement execute function refuse_change();
"""

IDEMPOTENCY_KEYS = """
create table idempotency_keys (
    caller text not null,
    key text not null,
    request_hash bytea not null,
    status smallint not null,
    headers jsonb not null,
    body text not null,
    subject uuid,
    created_at timestamptz not null default now(),
    primary key (caller, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);
"""

DEADLINES = """
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

PERSONAL_KEYS = """
create table personal_keys (
    subject text not null,
    generation integer not null,
    id uuid not null default gen_random_uuid(),
    key bytea check ((key is null) = (erased_at is not null and erased_by is not null and reason is not null)),
    created_at timestamptz not null default now(),
    erased_at timestamptz,
    erased_by text,
    reason text,
    primary key (subject, generation),
    constraint personal_keys_id unique (id)
);
comment on column personal_keys.generation is 'after an erasure the same person may get a new key';
comment on column personal_keys.key is 'null: erased';
create unique index personal_keys_current on personal_keys (subject) where key is not null;

create function refuse_all_but_erasing() returns trigger language plpgsql as $$
begin
    if old.key is not null and new.key is null
        and (new.subject, new.generation, new.id, new.created_at)
            = (old.subject, old.generation, old.id, old.created_at)
    then
        return new;
    end if;
    raise exception 'a personal key is erased once and otherwise never changed'
        using errcode = 'insufficient_privilege', hint = 'New data of the person gets a new key.';
end
$$;
create trigger personal_keys_erased_once before update on personal_keys
    for each row execute function refuse_all_but_erasing();
create trigger personal_keys_append_only before delete or truncate on personal_keys
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    for statements in (
        REFUSE_CHANGE,
        EVENT_STORE,
        OUTBOX,
        UNDELIVERABLE,
        INBOX,
        PARKED,
        IDEMPOTENCY_KEYS,
        DEADLINES,
        PERSONAL_KEYS,
    ):
        op.execute(statements)
