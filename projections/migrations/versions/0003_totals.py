"""Totals that need no counting, and the indexes of pages."""

from alembic import op

revision = "0003"
down_revision = "0002"

TOTAL_VIEW = """
create table total_view (
    name text primary key,
    number bigint not null
);
insert into total_view (name, number)
select contract, sum(messages) from minute_view group by contract;
insert into total_view (name, number)
select 'taken_back', count(*) from saga_view
where confirmed_at is not null and cancelled_at is not null
having count(*) > 0;
"""

INDEXES = """
create index saga_view_unfinished on saga_view (waits_for, placed_at desc, order_id desc) where waits_for is not null;
create index event_log_actor_contract on event_log (actor, contract, position);
create index event_log_source on event_log (source, position);
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert, update on total_view to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (TOTAL_VIEW, INDEXES, GRANTS):
        op.execute(statement)
