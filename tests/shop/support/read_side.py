"""A read side with as many orders as a test wants, made in the database and folded as messages would be."""

from typing import Any

import psycopg
from psycopg import Connection

from projections.service import projections
from tests.support.databases import Database

FILL = """
insert into event_log (message_id, contract, source, key, sequence, time, event_hash, correlation_id, causation_id,
    actor, traceparent, tracestate, body)
select pg_temp.id(n, step), contract, source, pg_temp.id(n, 0)::text, step, placed + step * interval '1 second', '',
    pg_temp.id(n, 99), case when before > 0 then pg_temp.id(n, before) end,
    case when step = 1 then customer else source end,
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '', body
from (select n, n %% 10 as kind, 'customer-' || n %% 100 as customer,
        now() - (%(orders)s - n + 10) * interval '1 second' as placed
    from generate_series(1, %(orders)s) as n) as numbered,
    lateral (select jsonb_build_object('amount', 890 + n, 'currency', 'EUR', 'charge_id', 'ch_' || n) as charge,
        jsonb_build_array(jsonb_build_object('sku', 'tea', 'quantity', 1)) as line) as parts,
    lateral (values
        (1, 0, 'orders.order_placed.v1', 'order_service', true, jsonb_build_object('customer', customer,
            'total', 890 + n, 'currency', 'EUR', 'complete_by', placed + interval '15 minutes',
            'lines', jsonb_build_array(jsonb_build_object('sku', 'tea', 'quantity', 1, 'unit_price', 890 + n)))),
        (2, 1, 'inventory.stock_reserved.v1', 'inventory_service', kind <> 1, jsonb_build_object('lines', line)),
        (2, 1, 'inventory.stock_rejected.v1', 'inventory_service', kind = 1, '{"reason": "out_of_stock"}'),
        (3, 2, 'payments.payment_captured.v1', 'payment_service', kind not in (1, 2), charge),
        (3, 2, 'payments.payment_declined.v1', 'payment_service', kind = 2, '{"reason": "card_declined"}'),
        (3, 2, 'orders.order_cancelled.v1', 'order_service', kind = 1, '{"reason": "out_of_stock"}'),
        (4, 3, 'orders.order_cancelled.v1', 'order_service', kind = 2, '{"reason": "payment_declined"}'),
        (4, 3, 'orders.order_confirmed.v1', 'order_service', kind not in (1, 2), '{}'),
        (5, 4, 'inventory.stock_shipped.v1', 'inventory_service', kind not in (1, 2),
            jsonb_build_object('lines', line)),
        (5, 4, 'inventory.stock_released.v1', 'inventory_service', kind = 2,
            jsonb_build_object('returned', false, 'lines', line)),
        (6, 0, 'orders.order_cancelled.v1', 'order_service', kind = 0, '{"reason": "changed_my_mind"}'),
        (7, 6, 'inventory.stock_released.v1', 'inventory_service', kind = 0,
            jsonb_build_object('returned', true, 'lines', line)),
        (8, 6, 'payments.payment_refunded.v2', 'payment_service', kind = 0,
            charge || '{"refund_id": "re_1", "left": 0}')
    ) as said (step, before, contract, source, of_this_kind, body)
where of_this_kind and (kind > 0 or n <= %(orders)s - 100 or step < 2 + n / 10 %% 4)
order by n, step
"""
"""Of ten orders, seven are confirmed, one is rejected, one declined, and one cancelled after all.

Of the last hundred, those ten that would be cancelled after all are on their way to there.
"""

ID = """
create function pg_temp.id(n bigint, part bigint) returns uuid immutable language sql
return (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(part), 12, '0'))::uuid
"""


def fill(connection: Connection[Any], orders: int) -> None:
    """Log and fold the messages of so many orders, one placed every second up to now."""
    connection.execute(ID)
    connection.execute(FILL, {"orders": orders})
    row = connection.execute("select min(position), max(position) from event_log").fetchone()
    assert row
    projections.fold(connection, *row)


def filled(database: Database, orders: int) -> Database:
    """The same in a database of its own, with fresh statistics; fills an empty one alone."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        fill(connection, orders)
        connection.execute("vacuum analyze")
    return database
