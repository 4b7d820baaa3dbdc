"""The event log: inbox of the read side and table of the audit trail."""

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
    received_at timestamptz not null default now()
);
create index event_log_key on event_log (key, time);
create index event_log_correlation on event_log (correlation_id);
create index event_log_time on event_log (time);
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert on event_log to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    op.execute(EVENT_LOG)
    op.execute(GRANTS)
