"""One row for each order whose card was charged or declined."""

FOLD = """
insert into payment_view (order_id, amount, currency, charge_id, captured_at, late_charge_at, declined_at, decline,
    refund_id, refunded_at, refunded, last_at)
select key::uuid,
    max((body ->> 'amount')::bigint) filter (where contract <> 'payments.payment_declined.v1'),
    max(body ->> 'currency') filter (where contract <> 'payments.payment_declined.v1'),
    max(body ->> 'charge_id') filter (where contract <> 'payments.payment_declined.v1'),
    max(time) filter (where contract = 'payments.payment_captured.v1'),
    max(time) filter (where contract = 'payments.late_charge_made.v1'),
    max(time) filter (where contract = 'payments.payment_declined.v1'),
    max(body ->> 'reason') filter (where contract = 'payments.payment_declined.v1'),
    max(body ->> 'refund_id') filter (where contract = 'payments.payment_refunded.v1'),
    max(time) filter (where contract = 'payments.payment_refunded.v1'),
    max((body ->> 'amount')::bigint) filter (where contract = 'payments.payment_refunded.v1'),
    max(time)
from event_log
where position between %(first)s and %(last)s and contract = any(%(of_payments)s)
group by key
order by key
on conflict (order_id) do update set
    amount = greatest(payment_view.amount, excluded.amount),
    currency = greatest(payment_view.currency, excluded.currency),
    charge_id = greatest(payment_view.charge_id, excluded.charge_id),
    captured_at = greatest(payment_view.captured_at, excluded.captured_at),
    late_charge_at = greatest(payment_view.late_charge_at, excluded.late_charge_at),
    declined_at = greatest(payment_view.declined_at, excluded.declined_at),
    decline = greatest(payment_view.decline, excluded.decline),
    refund_id = greatest(payment_view.refund_id, excluded.refund_id),
    refunded_at = greatest(payment_view.refunded_at, excluded.refunded_at),
    refunded = greatest(payment_view.refunded, excluded.refunded),
    last_at = greatest(payment_view.last_at, excluded.last_at)
"""
