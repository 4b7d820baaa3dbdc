"""One row for each order: what has happened to it, and with that what it waits for."""

FOLD = """
insert into saga_view (order_id, correlation_id, customer, lines, total, currency, placed_at, complete_by, reserved_at,
    rejected_at, rejection, captured_at, late_charge_at, declined_at, decline, refunded_at, confirmed_at, cancelled_at,
    reason, released_at, shipped_at, last_at, messages)
select key::uuid,
    (array_agg(correlation_id) filter (where contract = 'orders.order_placed.v1'))[1],
    max(body ->> 'customer') filter (where contract = 'orders.order_placed.v1'),
    (array_agg(body -> 'lines') filter (where contract = 'orders.order_placed.v1'))[1],
    max((body ->> 'total')::bigint) filter (where contract = 'orders.order_placed.v1'),
    max(body ->> 'currency') filter (where contract = 'orders.order_placed.v1'),
    max(time) filter (where contract = 'orders.order_placed.v1'),
    max((body ->> 'complete_by')::timestamptz) filter (where contract = 'orders.order_placed.v1'),
    max(time) filter (where contract = 'inventory.stock_reserved.v1'),
    max(time) filter (where contract = 'inventory.stock_rejected.v1'),
    max(body ->> 'reason') filter (where contract = 'inventory.stock_rejected.v1'),
    max(time) filter (where contract = 'payments.payment_captured.v1'),
    max(time) filter (where contract = 'payments.late_charge_made.v1'),
    max(time) filter (where contract = 'payments.payment_declined.v1'),
    max(body ->> 'reason') filter (where contract = 'payments.payment_declined.v1'),
    max(time) filter (where contract = 'payments.payment_refunded.v1'),
    max(time) filter (where contract = 'orders.order_confirmed.v1'),
    max(time) filter (where contract = 'orders.order_cancelled.v1'),
    max(body ->> 'reason') filter (where contract = 'orders.order_cancelled.v1'),
    max(time) filter (where contract = 'inventory.stock_released.v1'),
    max(time) filter (where contract = 'inventory.stock_shipped.v1'),
    max(time),
    count(*)
from event_log
where position between %(first)s and %(last)s and contract = any(%(of_orders)s)
group by key
order by key
on conflict (order_id) do update set
    correlation_id = greatest(saga_view.correlation_id, excluded.correlation_id),
    customer = greatest(saga_view.customer, excluded.customer),
    lines = greatest(saga_view.lines, excluded.lines),
    total = greatest(saga_view.total, excluded.total),
    currency = greatest(saga_view.currency, excluded.currency),
    placed_at = greatest(saga_view.placed_at, excluded.placed_at),
    complete_by = greatest(saga_view.complete_by, excluded.complete_by),
    reserved_at = greatest(saga_view.reserved_at, excluded.reserved_at),
    rejected_at = greatest(saga_view.rejected_at, excluded.rejected_at),
    rejection = greatest(saga_view.rejection, excluded.rejection),
    captured_at = greatest(saga_view.captured_at, excluded.captured_at),
    late_charge_at = greatest(saga_view.late_charge_at, excluded.late_charge_at),
    declined_at = greatest(saga_view.declined_at, excluded.declined_at),
    decline = greatest(saga_view.decline, excluded.decline),
    refunded_at = greatest(saga_view.refunded_at, excluded.refunded_at),
    confirmed_at = greatest(saga_view.confirmed_at, excluded.confirmed_at),
    cancelled_at = greatest(saga_view.cancelled_at, excluded.cancelled_at),
    reason = greatest(saga_view.reason, excluded.reason),
    released_at = greatest(saga_view.released_at, excluded.released_at),
    shipped_at = greatest(saga_view.shipped_at, excluded.shipped_at),
    last_at = greatest(saga_view.last_at, excluded.last_at),
    messages = saga_view.messages + excluded.messages
"""
