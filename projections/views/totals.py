"""How many messages there are of each contract, and how many orders were cancelled after they had been confirmed."""

FOLD = """
insert into total_view (name, number)
select contract, count(*)
from event_log
where position between %(first)s and %(last)s
group by contract
union all
select 'taken_back', count(*)
from event_log as later
where position between %(first)s and %(last)s
    and contract in ('orders.order_confirmed.v1', 'orders.order_cancelled.v1')
    and exists (
        select from event_log as earlier
        where earlier.key = later.key and earlier.position < later.position
            and earlier.contract in ('orders.order_confirmed.v1', 'orders.order_cancelled.v1')
            and earlier.contract <> later.contract)
having count(*) > 0
order by 1
on conflict (name) do update set number = total_view.number + excluded.number
"""
"""Of the two that make a `taken_back`, the later one counts, whichever that is: so every order counts once."""
