"""Notes about orders."""

from alembic import op

revision = "0006"
down_revision = "0005"

NOTES = """
create table order_notes (
    position bigint generated always as identity primary key,
    order_id uuid not null,
    actor text not null,
    text text not null check (length(text) between 1 and 2000),
    noted_at timestamptz not null default now());
create index order_notes_order on order_notes (order_id, position);
create index order_notes_time on order_notes (noted_at);
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert on order_notes to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (NOTES, GRANTS):
        op.execute(statement)
