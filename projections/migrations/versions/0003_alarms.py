"""Alarms with their beginning and end, and the figures of each minute."""

from alembic import op

revision = "0003"
down_revision = "0002"

ALARMS = """
create table alarms (
    id bigint generated always as identity primary key,
    name text not null,
    subject text not null,
    severity text not null check (severity in ('critical', 'warning')),
    text text not null,
    address text not null,
    raised_at timestamptz not null,
    cleared_at timestamptz check (cleared_at >= raised_at));
create unique index alarms_standing on alarms (name, subject) where cleared_at is null;
create index alarms_raised on alarms (raised_at desc, id desc);
create table alarm_changes (
    position bigint generated always as identity primary key,
    alarm bigint not null references alarms,
    change text not null check (change in ('raised', 'cleared')),
    at timestamptz not null,
    unique (alarm, change));
create table alarm_recorder (
    one bigint primary key default 1 check (one = 1),
    holder uuid not null,
    until timestamptz not null);
insert into alarm_recorder (holder, until) values ('00000000-0000-0000-0000-000000000000', '-infinity');
"""

FIGURES = """
create table figure_minutes (
    figure text not null,
    minute timestamptz not null,
    subject text not null,
    value float8 not null,
    primary key (figure, minute, subject));
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert on alarms, alarm_changes to projections;
        grant update (cleared_at) on alarms to projections;
        grant select, update on alarm_recorder to projections;
        grant select, insert, delete on figure_minutes to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (ALARMS, FIGURES, GRANTS):
        op.execute(statement)
