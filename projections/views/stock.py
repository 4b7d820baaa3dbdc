"""One row for each product: its price, and sums of what came, was set aside, let go, left and came back."""

FOLD = """
with changes (sku, name, unit_price, currency, priced_sequence, received, reserved, released, shipped, returned) as (
    select key, body ->> 'name', (body ->> 'unit_price')::bigint, body ->> 'currency', sequence, 0, 0, 0, 0, 0
    from event_log
    where position between %(first)s and %(last)s and contract = 'orders.product_priced.v1'
    union all
    select key, null, null, null, null, (body ->> 'quantity')::bigint, 0, 0, 0, 0
    from event_log
    where position between %(first)s and %(last)s and contract = 'inventory.stock_received.v1'
    union all
    select sku, null, null, null, null, 0,
        case when contract = 'inventory.stock_reserved.v1' then quantity else 0 end,
        case when contract = 'inventory.stock_released.v1' and not (body ->> 'returned')::boolean
             then quantity else 0 end,
        case when contract = 'inventory.stock_shipped.v1' then quantity else 0 end,
        case when contract = 'inventory.stock_released.v1' and (body ->> 'returned')::boolean
             then quantity else 0 end
    from event_log, jsonb_to_recordset(body -> 'lines') as line (sku text, quantity bigint)
    where position between %(first)s and %(last)s
        and contract in ('inventory.stock_reserved.v1', 'inventory.stock_released.v1', 'inventory.stock_shipped.v1'))
insert into stock_view (sku, name, unit_price, currency, priced_sequence, received, reserved, released, shipped,
    returned)
select sku,
    (array_agg(name order by priced_sequence desc nulls last))[1],
    (array_agg(unit_price order by priced_sequence desc nulls last))[1],
    (array_agg(currency order by priced_sequence desc nulls last))[1],
    max(priced_sequence), sum(received), sum(reserved), sum(released), sum(shipped), sum(returned)
from changes
group by sku
order by sku
on conflict (sku) do update set
    (name, unit_price, currency, priced_sequence) = (
        select name, unit_price, currency, priced_sequence
        from (values (stock_view.name, stock_view.unit_price, stock_view.currency, stock_view.priced_sequence),
            (excluded.name, excluded.unit_price, excluded.currency, excluded.priced_sequence))
            as known (name, unit_price, currency, priced_sequence)
        order by priced_sequence desc nulls last limit 1),
    received = stock_view.received + excluded.received,
    reserved = stock_view.reserved + excluded.reserved,
    released = stock_view.released + excluded.released,
    shipped = stock_view.shipped + excluded.shipped,
    returned = stock_view.returned + excluded.returned
"""
"""The price of the highest sequence holds, whenever it comes; everything else is a sum."""
