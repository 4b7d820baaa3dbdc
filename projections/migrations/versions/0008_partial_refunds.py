"""Refunds of parts of a payment."""

from alembic import op

revision = "0008"
down_revision = "0007"

PAYMENT_VIEW = """
alter table payment_view
    add column rest_refunded_at timestamptz,
    add column rest_at timestamptz;
update payment_view set rest_refunded_at = refunded_at,
    rest_at = least(refunded_at, refund_pending_at, refund_failed_at)
where least(refunded_at, refund_pending_at, refund_failed_at) is not null;
"""

REFUND_VIEW = """
create table refund_view (
    order_id uuid not null,
    part bigint not null,
    amount bigint,
    currency text,
    reason text,
    requested_at timestamptz,
    pending_at timestamptz,
    refund_id text,
    refunded_at timestamptz,
    failure text,
    failed_at timestamptz,
    last_at timestamptz not null,
    state text not null generated always as (
        case greatest(refunded_at, failed_at, pending_at, requested_at)
            when refunded_at then 'refunded'
            when failed_at then 'failed'
            when pending_at then 'pending'
            else 'requested' end) stored,
    primary key (order_id, part));
create index refund_view_failed on refund_view (order_id) where state = 'failed';
create index refund_view_refund on refund_view (refund_id) where refund_id is not null;
"""

GRANTS = """
do $$
begin
    if exists (select 1 from pg_roles where rolname = 'projections') then
        grant select, insert, update on refund_view to projections;
    end if;
end
$$
"""


def upgrade() -> None:
    for statement in (PAYMENT_VIEW, REFUND_VIEW, GRANTS):
        op.execute(statement)
