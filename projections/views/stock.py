"""One row for each product: its price, whether it is retired, and sums of what changed its stock."""

from contracts.inventory import StockCorrected, StockReceived, StockReleased, StockReserved, StockShipped
from contracts.orders import ProductPriced, ProductRetired
from projections.views.columns import is_one_of
from projections.views.view import RANGE, FoldedView

PRICED = (ProductPriced,)
RETIRED = (ProductRetired,)
RECEIVED = (StockReceived,)
CORRECTED = (StockCorrected,)
RESERVED = (StockReserved,)
RELEASED = (StockReleased,)
SHIPPED = (StockShipped,)

FOLD = f"""
with changes (sku, name, unit_price, currency, priced_sequence, retired_sequence,
    received, corrected, reserved, released, shipped, returned) as (
    select key, body ->> 'name', (body ->> 'unit_price')::bigint, body ->> 'currency', sequence, null::bigint,
        0, 0, 0, 0, 0, 0
    from upcast_log
    where {RANGE} and {is_one_of(PRICED)}
    union all
    select key, null, null, null, null, sequence, 0, 0, 0, 0, 0, 0
    from upcast_log
    where {RANGE} and {is_one_of(RETIRED)}
    union all
    select key, null, null, null, null, null,
        case when {is_one_of(RECEIVED)} then (body ->> 'quantity')::bigint else 0 end,
        case when {is_one_of(CORRECTED)} then (body ->> 'quantity')::bigint else 0 end,
        0, 0, 0, 0
    from upcast_log
    where {RANGE} and {is_one_of(RECEIVED + CORRECTED)}
    union all
    select sku, null, null, null, null, null, 0, 0,
        case when {is_one_of(RESERVED)} then quantity else 0 end,
        case when {is_one_of(RELEASED)} and not (body ->> 'returned')::boolean then quantity else 0 end,
        case when {is_one_of(SHIPPED)} then quantity else 0 end,
        case when {is_one_of(RELEASED)} and (body ->> 'returned')::boolean then quantity else 0 end
    from upcast_log, jsonb_to_recordset(body -> 'lines') as line (sku text, quantity bigint)
    where {RANGE} and {is_one_of(RESERVED + RELEASED + SHIPPED)})
insert into stock_view (sku, name, unit_price, currency, priced_sequence, retired_sequence,
    received, corrected, reserved, released, shipped, returned)
select sku,
    (array_agg(name order by priced_sequence desc nulls last))[1],
    (array_agg(unit_price order by priced_sequence desc nulls last))[1],
    (array_agg(currency order by priced_sequence desc nulls last))[1],
    max(priced_sequence), max(retired_sequence),
    sum(received), sum(corrected), sum(reserved), sum(released), sum(shipped), sum(returned)
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
    retired_sequence = greatest(stock_view.retired_sequence, excluded.retired_sequence),
    received = stock_view.received + excluded.received,
    corrected = stock_view.corrected + excluded.corrected,
    reserved = stock_view.reserved + excluded.reserved,
    released = stock_view.released + excluded.released,
    shipped = stock_view.shipped + excluded.shipped,
    returned = stock_view.returned + excluded.returned
"""  # noqa: S608 - names of ours
"""The price with the highest sequence holds, in whatever order prices arrive, and a product is retired if its highest
sequence is that of a retirement; every other column is a sum."""

VIEW = FoldedView(
    "stock_view",
    FOLD,
    {
        "price": PRICED,
        "retired": RETIRED,
        "received": RECEIVED,
        "corrected": CORRECTED,
        "reserved": RESERVED,
        "released": RELEASED,
        "shipped": SHIPPED,
    },
)
