"""One row for each product: its price, and sums of what was received, reserved, released, shipped and returned."""

from contracts.inventory import StockReceived, StockReleased, StockReserved, StockShipped
from contracts.orders import ProductPriced
from projections.views.columns import is_one_of
from projections.views.view import RANGE, FoldedView

PRICED = (ProductPriced,)
RECEIVED = (StockReceived,)
RESERVED = (StockReserved,)
RELEASED = (StockReleased,)
SHIPPED = (StockShipped,)

FOLD = f"""
with changes (sku, name, unit_price, currency, priced_sequence, received, reserved, released, shipped, returned) as (
    select key, body ->> 'name', (body ->> 'unit_price')::bigint, body ->> 'currency', sequence, 0, 0, 0, 0, 0
    from upcast_log
    where {RANGE} and {is_one_of(PRICED)}
    union all
    select key, null, null, null, null, (body ->> 'quantity')::bigint, 0, 0, 0, 0
    from upcast_log
    where {RANGE} and {is_one_of(RECEIVED)}
    union all
    select sku, null, null, null, null, 0,
        case when {is_one_of(RESERVED)} then quantity else 0 end,
        case when {is_one_of(RELEASED)} and not (body ->> 'returned')::boolean then quantity else 0 end,
        case when {is_one_of(SHIPPED)} then quantity else 0 end,
        case when {is_one_of(RELEASED)} and (body ->> 'returned')::boolean then quantity else 0 end
    from upcast_log, jsonb_to_recordset(body -> 'lines') as line (sku text, quantity bigint)
    where {RANGE} and {is_one_of(RESERVED + RELEASED + SHIPPED)})
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
"""  # noqa: S608 - names of ours
"""The price with the highest sequence holds, in whatever order prices arrive; every other column is a sum."""

VIEW = FoldedView(
    "stock_view",
    FOLD,
    {"price": PRICED, "received": RECEIVED, "reserved": RESERVED, "released": RELEASED, "shipped": SHIPPED},
)
