"""How many messages there are of each contract, and how many orders were cancelled after they had been confirmed."""

FOLD = """
insert into total_view (name, number)
select contract, count(*)
from event_log
where position between %(first)s and %(last)s
group by contract
union all
select 'taken_back', count(*)
from (
    select min(position) filter (where contract = 'orders.order_confirmed.v1') as confirmed,
        min(position) filter (where contract = 'orders.order_cancelled.v1') as cancelled
    from event_log
    where contract in ('orders.order_confirmed.v1', 'orders.order_cancelled.v1')
        and key = any(array(
            select key from event_log
            where position between %(first)s and %(last)s
                and contract in ('orders.order_confirmed.v1', 'orders.order_cancelled.v1')))
    group by key) as ended
where confirmed is not null and cancelled is not null
    and greatest(confirmed, cancelled) between %(first)s and %(last)s
having count(*) > 0
order by 1
on conflict (name) do update set number = total_view.number + excluded.number
"""
"""Of the two that make a `taken_back`, the later one counts, whichever that is: so every order counts once.

The keys are an array, not a join: before a fresh table has statistics a join of a million rows took a nested loop.
"""
