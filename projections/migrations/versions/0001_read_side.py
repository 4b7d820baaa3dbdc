"""The tables of the views."""

from alembic import op

revision = "0001"
down_revision = None

# Each column is a fact that the versions of one contract tell; Postgres generates the rest from these columns, so that
# no order of arrival makes a difference.
SAGA_VIEW = """
create table saga_view (
    order_id uuid primary key,
    correlation_id uuid,
    customer text,
    lines jsonb,
    total bigint,
    currency text,
    placed_at timestamptz,
    complete_by timestamptz,
    reserved_at timestamptz,
    rejected_at timestamptz,
    rejection text,
    captured_at timestamptz,
    late_charge_at timestamptz,
    declined_at timestamptz,
    decline text,
    refunded_at timestamptz,
    confirmed_at timestamptz,
    cancelled_at timestamptz,
    reason text,
    released_at timestamptz,
    shipped_at timestamptz,
    last_at timestamptz not null,
    messages bigint not null,
    state text not null generated always as (
        case when cancelled_at is not null then 'cancelled'
             when confirmed_at is not null then 'confirmed'
             else 'placed' end) stored,
    step smallint not null generated always as (
        case when confirmed_at is not null then 4
             when captured_at is not null or late_charge_at is not null then 3
             when reserved_at is not null then 2
             else 1 end) stored,
    waits_for text generated always as (
        case when cancelled_at is not null then
                 case when reserved_at is not null and released_at is null then 'release'
                      when coalesce(captured_at, late_charge_at) is not null and refunded_at is null then 'refund' end
             when confirmed_at is not null then case when shipped_at is null then 'shipment' end
             when captured_at is not null then 'confirmation'
             when rejected_at is not null or declined_at is not null then 'cancellation'
             when reserved_at is not null then 'payment'
             else 'stock' end) stored,
    waits_since timestamptz generated always as (
        case when cancelled_at is not null then
                 case when reserved_at is not null and released_at is null then greatest(cancelled_at, reserved_at)
                      when coalesce(captured_at, late_charge_at) is not null and refunded_at is null
                          then greatest(cancelled_at, captured_at, late_charge_at) end
             when confirmed_at is not null then case when shipped_at is null then confirmed_at end
             when captured_at is not null then captured_at
             when rejected_at is not null or declined_at is not null then coalesce(declined_at, rejected_at)
             when reserved_at is not null then reserved_at
             else placed_at end) stored,
    ended_at timestamptz generated always as (
        case when cancelled_at is not null then
                 case when not (reserved_at is not null and released_at is null)
                       and not (coalesce(captured_at, late_charge_at) is not null and refunded_at is null)
                      then greatest(cancelled_at, released_at, refunded_at) end
             when confirmed_at is not null and shipped_at is not null
                 then greatest(confirmed_at, shipped_at) end) stored
);
create index saga_view_placed on saga_view (placed_at desc, order_id desc);
create index saga_view_state on saga_view (state, placed_at desc, order_id desc);
create index saga_view_customer on saga_view (customer, placed_at desc, order_id desc);
create index saga_view_waiting on saga_view (waits_since, order_id) where waits_for is not null;
create index saga_view_unfinished on saga_view (waits_for, placed_at desc, order_id desc) where waits_for is not null;
create index saga_view_ended on saga_view (ended_at);
"""

STOCK_VIEW = """
create table stock_view (
    sku text primary key,
    name text,
    unit_price bigint,
    currency text,
    priced_sequence bigint,
    received bigint not null,
    reserved bigint not null,
    released bigint not null,
    shipped bigint not null,
    returned bigint not null,
    on_hand bigint not null generated always as (received - shipped + returned) stored,
    set_aside bigint not null generated always as (reserved - released - shipped) stored,
    available bigint not null generated always as (received - reserved + released + returned) stored
);
"""

PAYMENT_VIEW = """
create table payment_view (
    order_id uuid primary key,
    amount bigint,
    currency text,
    charge_id text,
    captured_at timestamptz,
    late_charge_at timestamptz,
    declined_at timestamptz,
    decline text,
    refund_id text,
    refunded_at timestamptz,
    refunded bigint,
    last_at timestamptz not null,
    state text not null generated always as (
        case when refunded_at is not null then 'refunded'
             when captured_at is not null then 'captured'
             when late_charge_at is not null then 'charged_late'
             else 'declined' end) stored
);
create index payment_view_last on payment_view (last_at desc, order_id desc);
create index payment_view_state on payment_view (state, last_at desc, order_id desc);
"""

MINUTE_VIEW = """
create table minute_view (
    minute timestamptz not null,
    contract text not null,
    messages bigint not null,
    primary key (minute, contract)
);
"""

TOTAL_VIEW = """
create table total_view (
    name text primary key,
    number bigint not null
);
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert, update on saga_view, stock_view, payment_view, minute_view, total_view to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (SAGA_VIEW, STOCK_VIEW, PAYMENT_VIEW, MINUTE_VIEW, TOTAL_VIEW, GRANTS):
        op.execute(statement)
