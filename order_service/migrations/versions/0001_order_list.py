"""The list of orders, which Postgres writes with the events of an order, and the orders that are there already."""

from alembic import op

revision = "0001"
down_revision = None

ORDER_LIST = """
create table order_list (
    order_id uuid primary key,
    customer text not null,
    state text not null check (state in ('placed', 'confirmed', 'cancelled')),
    placed_at timestamptz not null
);
create index order_list_customer on order_list (customer, state, placed_at desc, order_id desc);
create index order_list_state on order_list (state, placed_at desc, order_id desc);
"""

# A trigger, so that processes of the version before, which run until they are replaced, write the list too. It has the
# owner's rights: the service may record events and read the list, but not write into it.
LIST_ORDER = """
create function list_order() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    placed json;
begin
    if new.originator_version = 1 then
        placed := convert_from(new.state, 'UTF8');
        insert into order_list (order_id, customer, state, placed_at)
        values (new.originator_id, placed ->> 'customer', 'placed',
            (placed -> 'timestamp' ->> '_data_')::timestamptz);
    else
        update order_list set state = split_part(new.topic, '.', 2) where order_id = new.originator_id;
    end if;
    return null;
end
$$;
create trigger stored_events_list_order after insert on stored_events for each row
    when (new.topic in ('order.placed', 'order.confirmed', 'order.cancelled')) execute function list_order();
"""

EARLIER_ORDERS = """
insert into order_list (order_id, customer, state, placed_at)
select first.originator_id, placed ->> 'customer', split_part(last.topic, '.', 2),
    (placed -> 'timestamp' ->> '_data_')::timestamptz
from stored_events as first
    cross join lateral (select convert_from(first.state, 'UTF8')::json as placed offset 0) as body
    cross join lateral (
        select topic from stored_events as later where later.originator_id = first.originator_id
        order by originator_version desc limit 1) as last
where first.topic = 'order.placed' and first.originator_version = 1
"""
MEANWHILE = """
    and first.originator_id = any(array(select originator_id from stored_events where xid >= '{}'))
on conflict (order_id) do update set state = excluded.state
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'order_service') then
        grant select on order_list to order_service;
    end if;
end
$$
"""


def upgrade() -> None:
    """Fill the table before the trigger is made: creating it locks `stored_events` until the migration commits."""
    started = op.get_bind().exec_driver_sql("select pg_snapshot_xmin(pg_current_snapshot())").scalar()
    for statement in (ORDER_LIST, EARLIER_ORDERS, LIST_ORDER, EARLIER_ORDERS + MEANWHILE.format(started), GRANTS):
        op.execute(statement)
