"""Refunds that are pending, have failed or are tried again."""

from alembic import op

revision = "0002"
down_revision = "0001"

PAYMENT_VIEW = """
alter table payment_view
    add column refund_pending_at timestamptz,
    add column refund_failed_at timestamptz,
    add column refund_failure text,
    add column refund_requested_at timestamptz,
    add column refund_checked_at timestamptz,
    drop column state;
alter table payment_view add column state text not null generated always as (
    case when greatest(refunded_at, refund_failed_at, refund_requested_at, refund_pending_at) is not null then
             case greatest(refunded_at, refund_failed_at, refund_requested_at, refund_pending_at)
                 when refunded_at then 'refunded'
                 when refund_failed_at then 'refund_failed'
                 when refund_requested_at then 'refund_requested'
                 else 'refund_pending' end
         when captured_at is not null then 'captured'
         when late_charge_at is not null then 'charged_late'
         else 'declined' end) stored;
create index payment_view_state on payment_view (state, last_at desc, order_id desc);
"""

OWED = """coalesce(captured_at, late_charge_at) is not null
                       and (refunded_at is null or coalesce(refund_failed_at > refunded_at, false))"""
"""A refund that fails after it succeeded opens the order again."""

SAGA_VIEW = f"""
alter table saga_view
    add column refund_pending_at timestamptz,
    add column refund_failed_at timestamptz,
    drop column waits_for,
    drop column waits_since,
    drop column ended_at;
alter table saga_view
    add column waits_for text generated always as (
        case when cancelled_at is not null then
                 case when reserved_at is not null and released_at is null then 'release'
                      when {OWED} then 'refund' end
             when confirmed_at is not null then case when shipped_at is null then 'shipment' end
             when captured_at is not null then 'confirmation'
             when rejected_at is not null or declined_at is not null then 'cancellation'
             when reserved_at is not null then 'payment'
             else 'stock' end) stored,
    add column waits_since timestamptz generated always as (
        case when cancelled_at is not null then
                 case when reserved_at is not null and released_at is null then greatest(cancelled_at, reserved_at)
                      when {OWED}
                          then greatest(cancelled_at, captured_at, late_charge_at, refund_failed_at) end
             when confirmed_at is not null then case when shipped_at is null then confirmed_at end
             when captured_at is not null then captured_at
             when rejected_at is not null or declined_at is not null then coalesce(declined_at, rejected_at)
             when reserved_at is not null then reserved_at
             else placed_at end) stored,
    add column ended_at timestamptz generated always as (
        case when cancelled_at is not null then
                 case when not (reserved_at is not null and released_at is null)
                       and not ({OWED})
                      then greatest(cancelled_at, released_at, refunded_at) end
             when confirmed_at is not null and shipped_at is not null
                 then greatest(confirmed_at, shipped_at) end) stored;
create index saga_view_waiting on saga_view (waits_since, order_id) where waits_for is not null;
create index saga_view_unfinished on saga_view (waits_for, placed_at desc, order_id desc) where waits_for is not null;
create index saga_view_ended on saga_view (ended_at);
"""


def upgrade() -> None:
    for statement in (PAYMENT_VIEW, SAGA_VIEW):
        op.execute(statement)
