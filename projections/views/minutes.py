"""One row for each minute and contract: the number of messages with a time in that minute."""

from projections.views.view import RANGE, FoldedView

FOLD = f"""
insert into minute_view (minute, contract, messages)
select date_trunc('minute', time, 'UTC'), contract, count(*)
from event_log
where {RANGE}
group by 1, 2
order by 1, 2
on conflict (minute, contract) do update set messages = minute_view.messages + excluded.messages
"""  # noqa: S608 - names of ours
VIEW = FoldedView("minute_view", FOLD)
