"""The number of messages of each contract, and of orders that were cancelled after their confirmation."""

from projections.views import sagas
from projections.views.columns import is_one_of
from projections.views.view import RANGE, FoldedView

CONFIRMED = sagas.COLUMNS["confirmed_at"].contracts
CANCELLED = sagas.COLUMNS["cancelled_at"].contracts

FOLD = f"""
insert into total_view (name, number)
select contract, count(*)
from event_log
where {RANGE}
group by contract
union all
select 'cancelled_after_confirmation', count(*)
from (
    select min(position) filter (where {is_one_of(CONFIRMED)}) as confirmed,
        min(position) filter (where {is_one_of(CANCELLED)}) as cancelled
    from upcast_log
    where {is_one_of(CONFIRMED + CANCELLED)}
        and key = any(array(
            select key from upcast_log
            where {RANGE} and {is_one_of(CONFIRMED + CANCELLED)}))
    group by key) as ended
where confirmed is not null and cancelled is not null
    and greatest(confirmed, cancelled) between %(first)s and %(last)s
having count(*) > 0
order by 1
on conflict (name) do update set number = total_view.number + excluded.number
"""  # noqa: S608 - names of ours
"""An order is counted with the later of its confirmation and its cancellation, whichever that is, and so once.

The keys are an array, not a join: before a fresh table has statistics a join of a million rows took a nested loop.
"""
VIEW = FoldedView("total_view", FOLD)
