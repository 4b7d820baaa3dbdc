"""One row for each minute and contract: how many messages tell of that minute."""

FOLD = """
insert into minute_view (minute, contract, messages)
select date_trunc('minute', time, 'UTC'), contract, count(*)
from event_log
where position between %(first)s and %(last)s
group by 1, 2
order by 1, 2
on conflict (minute, contract) do update set messages = minute_view.messages + excluded.messages
"""
