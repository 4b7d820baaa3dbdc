"""A relay keeps, for each queue that gives no answer, how far that queue is published."""

from alembic import op

revision = "0005"
down_revision = "0004"

DETACHED_QUEUES = """
create table detached_queues (
    queue text primary key,
    audience text not null check (audience in ('queue', 'others')),
    partitions smallint[] not null,
    lacked_from pg_snapshot not null,
    published pg_snapshot not null,
    target pg_snapshot,
    confirmed_position bigint,
    since timestamptz not null default now());
comment on column detached_queues.audience is
    'who lacks messages: the queue, or, once the queue has them all, queues that no group of the application has';
comment on column detached_queues.partitions is 'whose messages do not go to `events`';
comment on column detached_queues.lacked_from is 'the others lack the rows that are not visible in it';
comment on column detached_queues.published is 'the audience has every row visible in it';
comment on column detached_queues.target is 'end of the window under way, null between windows';
comment on column detached_queues.confirmed_position is 'the window is confirmed up to here';
"""


def upgrade() -> None:
    op.execute(DETACHED_QUEUES)
