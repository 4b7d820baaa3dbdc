"""The figures of each hour, so that a chart of weeks does not read every minute of them."""

from alembic import op

revision = "0005"
down_revision = "0004"

FIGURES = """
create table figure_hours (
    figure text not null,
    hour timestamptz not null,
    subject text not null,
    mean float8 not null,
    greatest float8 not null,
    primary key (figure, hour, subject));
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert, delete on figure_hours to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (FIGURES, GRANTS):
        op.execute(statement)
