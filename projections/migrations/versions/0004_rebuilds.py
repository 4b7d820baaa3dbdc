"""What rebuilds there were."""

from alembic import op

revision = "0004"
down_revision = "0003"

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

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select on rebuilds to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    op.execute(REBUILDS)
    op.execute(GRANTS)
