"""An application of the counting service and a read side that folds what it announces into one view."""

from ordersaga.readside.read_side import ReadSide
from tests.support.counting import GROUP, CountKept, service

TABLE = "create table kept_view (counter text primary key, numbers bigint not null)"
FOLD = """
insert into kept_view (counter, numbers)
select key, count(*) from event_log where position between %(first)s and %(last)s group by key
on conflict (counter) do update set numbers = kept_view.numbers + excluded.numbers
"""
read_side = ReadSide("kept", (service,), {CountKept.NAME: CountKept}, {"kept_view": FOLD}, role=GROUP)
services = (service, read_side)
