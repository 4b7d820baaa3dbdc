"""Since when a group gets every message: what was announced before its database was made is not missing."""

from alembic import op

revision = "0008"
down_revision = "0007"

HISTORY = """
create table group_history (
    single boolean primary key default true check (single),
    received_from timestamptz,
    being_seeded boolean not null default false
);
comment on column group_history.received_from is 'since when it gets every message; null: always';
comment on column group_history.being_seeded is 'history is on its way';

insert into group_history (received_from)
select case when exists (select from inbox) or exists (select from outbox) or exists (select from stored_events)
    then null else now() end;

alter table operator_actions drop constraint operator_actions_action_check,
    add check (action in ('annotate', 'hold', 'release', 'skip group', 'start run', 'stop run', 'pause', 'resume',
        'begin seeding', 'complete seeding'));
"""


def upgrade() -> None:
    op.execute(HISTORY)
