"""Later versions of what the counting service receives and announces, and a read side that folds them."""

from typing import ClassVar
from uuid import UUID

from ordersaga.envelope.contract import Contract
from ordersaga.inbox.reactions import Reactions
from ordersaga.readside.read_side import ReadSide
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction
from tests.support.counting import GROUP, Counted, Counter, CountKept, keep, the_counter

UNIT = 1000


class CountedV2(Contract):
    """Something was counted, in thousandths."""

    NAME: ClassVar[str] = "test.counted.v2"
    SOURCE: ClassVar[str] = "test"
    KEY: ClassVar[str] = "counter_id"
    PREDECESSOR: ClassVar[type[Contract] | None] = Counted
    counter_id: UUID
    thousandths: int

    @classmethod
    def upcast(cls, old: Counted) -> "CountedV2":
        return cls(counter_id=old.counter_id, thousandths=UNIT * old.number)


class CountedV3(Contract):
    """Something was counted, in thousandths of a unit."""

    NAME: ClassVar[str] = "test.counted.v3"
    SOURCE: ClassVar[str] = "test"
    KEY: ClassVar[str] = "counter_id"
    PREDECESSOR: ClassVar[type[Contract] | None] = CountedV2
    counter_id: UUID
    thousandths: int
    unit: str

    @classmethod
    def upcast(cls, old: CountedV2) -> "CountedV3":
        return cls(counter_id=old.counter_id, thousandths=old.thousandths, unit="piece")


class CountKeptV2(Contract):
    """A count was kept, in thousandths."""

    NAME: ClassVar[str] = "test.count_kept.v2"
    SOURCE: ClassVar[str] = GROUP
    KEY: ClassVar[str] = "counter_id"
    PREDECESSOR: ClassVar[type[Contract] | None] = CountKept
    counter_id: UUID
    number: int
    thousandths: int

    @classmethod
    def upcast(cls, old: CountKept) -> "CountKeptV2":
        return cls(counter_id=old.counter_id, number=old.number, thousandths=UNIT * old.number)


announcements = Announcements(GROUP)
reactions = Reactions()
service = Service(GROUP, announcements, reactions)


@announcements.of(Counter.Kept)
def announce_count_kept(kept: Counter.Kept) -> CountKeptV2:
    return CountKeptV2(counter_id=kept.originator_id, number=kept.number, thousandths=UNIT * kept.number)


@reactions.to(CountedV3, loads=the_counter)
def when_counted_keep_it(message: CountedV3, transaction: Transaction) -> None:
    keep(Counted(counter_id=message.counter_id, number=message.thousandths // UNIT), transaction)


FOLD = f"""
with thousandths (key, thousandths) as (
    select key, (body ->> 'thousandths')::bigint from upcast_log
    where position between %(first)s and %(last)s and contract = '{CountKeptV2.NAME}')
insert into kept_view (counter, numbers)
select key, sum(thousandths) from thousandths group by key
on conflict (counter) do update set numbers = kept_view.numbers + excluded.numbers
"""  # noqa: S608 - names of ours
read_side = ReadSide("kept", (service,), {CountKeptV2.NAME: CountKeptV2}, {"kept_view": FOLD}, role=GROUP)
services = (service, read_side)
