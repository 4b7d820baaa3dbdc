"""Triage: notes and holds of failure groups, holds of messages, runs of retries, and the record of what people did."""

from alembic import op

revision = "0006"
down_revision = "0005"

MESSAGES = """
alter table parked_messages add column held boolean, add column wanted_until timestamptz,
    add column failed_at timestamptz;
comment on column parked_messages.held is
    'true: a person holds it; false: a person retries it although its failure is on hold; null: as its failure is';
comment on column parked_messages.wanted_until is 'until then no attempt begins: a person is about to act on it';
comment on column parked_messages.failed_at is
    'when an attempt at it last failed; null: none has since a person retried it';
update parked_messages set failed_at = parked_at where state <> 'waiting';

alter table undeliverable add column held boolean;
comment on column undeliverable.held is
    'true: a person holds it; false: a person retries it although its failure is on hold; null: as its failure is';

alter table parked_actions drop constraint parked_actions_action_check,
    add check (action in ('retry', 'edit', 'skip', 'hold', 'release'));
"""

FAILURES = """
create table failure_notes (
    failure text primary key,
    refused_by text not null check (refused_by in ('reaction', 'broker')),
    contract text,
    error text not null,
    place text not null,
    note text not null default '',
    owner text not null default '',
    link text not null default '',
    held_since timestamptz check ((held_since is null) = (held_by is null and held_reason is null)),
    held_by text,
    held_reason text,
    last_seen timestamptz not null
);
create index failure_notes_held on failure_notes (failure) where held_since is not null;
comment on column failure_notes.failure is 'the name of the failure group, of contract, error and place';
comment on column failure_notes.held_since is 'null: not on hold';
comment on column failure_notes.last_seen is 'when a message last failed so, to ten seconds';
"""

ACTIONS = """
create table operator_actions (
    position bigint generated always as identity primary key,
    action text not null check (action in (
        'annotate', 'hold', 'release', 'skip group', 'start run', 'stop run', 'pause', 'resume')),
    failure text,
    run bigint,
    actor text not null,
    reason text not null,
    acted_at timestamptz not null default now(),
    details jsonb not null default '{}'
);
comment on column operator_actions.failure is 'the failure group; null: not of one';
comment on column operator_actions.run is 'the run of retries; null: not of one';
create index operator_actions_failure on operator_actions (failure, position) where failure is not null;
create index operator_actions_pause on operator_actions (position) where action in ('pause', 'resume');
create trigger operator_actions_append_only before update or delete or truncate on operator_actions
    for each statement execute function refuse_change();
"""

RUNS = """
create table retry_runs (
    run bigint generated always as identity primary key,
    failure text,
    refused_by text check (refused_by in ('reaction', 'broker')),
    state_wanted text,
    key text,
    first integer not null check (first >= 0),
    rate real not null check (rate > 0),
    max_failed real not null check (max_failed between 0 and 1),
    actor text not null,
    reason text not null,
    state text not null default 'running' check (state in ('running', 'stopped', 'done')),
    started_at timestamptz not null default now(),
    ended_at timestamptz check ((ended_at is null) = (state = 'running')),
    ended_by text,
    end_reason text not null default '',
    total integer not null,
    retried integer not null default 0,
    succeeded integer not null default 0,
    failed integer not null default 0,
    skipped integer not null default 0,
    last_reaction bigint not null,
    last_broker bigint not null,
    next_reaction bigint not null default 0,
    next_broker bigint not null default 0,
    next_at timestamptz not null default now(),
    retried_at timestamptz not null default now()
);
comment on column retry_runs.state_wanted is 'only messages in this state; null: in any';
comment on column retry_runs.first is 'so many are retried at once, before any other';
comment on column retry_runs.rate is 'messages a second, after the first ones';
comment on column retry_runs.max_failed is 'it stops when a greater share of the first ones fails again';
comment on column retry_runs.last_reaction is 'position of the last parked message that it may retry';
comment on column retry_runs.next_reaction is 'position of the last parked message that it has retried';
create unique index retry_runs_one on retry_runs (coalesce(failure, '')) where state = 'running';

create table retry_run_messages (
    run bigint not null references retry_runs,
    refused_by text not null,
    position bigint not null,
    message_id uuid not null,
    retried_at timestamptz not null default now(),
    primary key (run, refused_by, position)
);
comment on table retry_run_messages is
    'messages that a run has retried and that have neither succeeded nor failed since';
"""


def upgrade() -> None:
    for statements in (MESSAGES, FAILURES, ACTIONS, RUNS):
        op.execute(statements)
