"""The event log, and the history of rebuilds."""

from alembic import op

revision = "0001"
down_revision = None

EVENT_LOG = """
create table event_log (
    message_id uuid primary key,
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
    body jsonb not null,
    received_at timestamptz not null default now(),
    position bigint generated always as identity
);
create unique index event_log_position on event_log (position);
create index event_log_key on event_log (key, position);
create index event_log_actor on event_log (actor, position);
create index event_log_contract on event_log (contract, position);
create index event_log_actor_contract on event_log (actor, contract, position);
create index event_log_source on event_log (source, position);
create index event_log_correlation on event_log (correlation_id);
create index event_log_causation on event_log (causation_id) where causation_id is not null;
create index event_log_time on event_log (time);
"""

REBUILDS = """
create table rebuilds (
    number bigint generated always as identity primary key,
    began_at timestamptz not null,
    ended_at timestamptz not null default clock_timestamp(),
    view text,
    dry_run boolean not null,
    events bigint not null,
    messages bigint not null,
    findings bigint not null,
    left_out bigint not null
);
"""


def upgrade() -> None:
    op.execute(EVENT_LOG)
    op.execute(REBUILDS)
