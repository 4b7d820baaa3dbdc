"""A newer version of a contract reads the messages of the one before it, and announces an event under the same id."""

from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from ordersaga.envelope.contract import Contract
from ordersaga.envelope.declaration import require_contract
from ordersaga.envelope.message import Cause, Message
from ordersaga.envelope.versions import read_as
from ordersaga.inbox.delivery import Broken, Received, read
from ordersaga.inbox.reactions import Reactions
from ordersaga.store.announcements import Announcements
from tests.support import counted_versions, counting
from tests.support.counted_versions import CountedV2, CountedV3, CountKeptV2
from tests.support.counting import GROUP, Counted, Counter, CountKept
from tests.support.parking import delivery
from tests.support.workers import counted

COUNTER = uuid4()
READS = {name: reaction.contract for name, reaction in counted_versions.reactions.by_contract.items()}


def declared(**variables: Any) -> Any:
    """A class with the variables of a second version of Counted, without those that are None."""
    given = {"NAME": CountedV2.NAME, "SOURCE": "test", "KEY": "counter_id", "PREDECESSOR": Counted, "upcast": id}
    return type("Declared", (), {name: value for name, value in {**given, **variables}.items() if value is not None})


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"NAME": "test.counted.v3"}, r"must be named test.counted.v2, not test.counted.v3"),
        ({"NAME": "test.tallied.v2"}, r"must be named test.counted.v2"),
        ({"SOURCE": "another"}, r"must be announced by test too, not by another"),
        ({"upcast": None}, r"must say in a classmethod `upcast` how a message of test.counted.v1 is read"),
    ],
)
def test_a_version_that_is_not_the_next_one_is_refused(variables: dict[str, Any], error: str) -> None:
    require_contract(declared())
    with pytest.raises(ValueError, match=error):
        Reactions().to(declared(**variables))


def test_a_subclass_of_a_version_is_no_later_version_until_it_names_its_own_predecessor() -> None:
    class Sub(CountedV2):
        NAME: ClassVar[str] = "test.counted.v3"

    with pytest.raises(ValueError, match="is no version of"):
        read_as(Sub, Counted.NAME, "{}")


def message_as(contract: type[Contract]) -> Message:
    """Seven, counted by a service that announces this version."""
    first = counted(COUNTER, 7)
    body = read_as(contract, Counted.NAME, first.body).model_dump_json()
    return replace(first, contract=contract.NAME, body=body)


@pytest.mark.parametrize("contract", [Counted, CountedV2, CountedV3])
def test_a_message_of_any_version_is_read_as_the_newest_and_kept_as_it_was_sent(contract: type[Contract]) -> None:
    sent = message_as(contract)
    found = read(delivery(sent), READS)
    assert isinstance(found, Received)
    assert found.data == CountedV3(counter_id=COUNTER, thousandths=7000, unit="piece")
    assert (found.message, found.contract) == (sent, contract.NAME)


def test_a_body_that_is_not_of_its_own_version_is_parked_although_a_newer_one_would_accept_it() -> None:
    body = CountedV3(counter_id=uuid4(), thousandths=1, unit="piece").model_dump_json().encode()
    found = read(delivery(counted(uuid4(), 1), body), READS)
    assert isinstance(found, Broken)
    assert "the body is not a test.counted.v1" in str(found.reason)


def test_an_event_is_announced_under_one_id_by_every_version_of_the_code() -> None:
    counter = Counter(id=uuid4())
    counter.keep(3)
    [_, kept] = counter.collect_events()
    [old], [new] = (
        list(each.messages(kept, bytes(32), Cause(uuid4())))
        for each in (counting.announcements, counted_versions.announcements)
    )
    assert (old.id, old.event_hash, old.key) == (new.id, new.event_hash, new.key)
    assert (old.contract, new.contract) == (CountKept.NAME, CountKeptV2.NAME)


def test_two_versions_of_one_event_are_refused_because_they_would_be_one_message() -> None:
    announcements = Announcements(GROUP)
    announcements.of(Counter.Kept)(counting.announce_count_kept)
    with pytest.raises(ValueError, match=r"is announced as a version of test\.count_kept\.v1 already"):
        announcements.of(Counter.Kept)(counted_versions.announce_count_kept)
    with pytest.raises(ValueError, match="is announced by an event"):
        announcements.without_event(CountKeptV2)


def test_a_relay_of_the_new_code_publishes_what_the_old_code_has_left_in_the_outbox() -> None:
    assert counted_versions.announcements.contracts == {CountKept.NAME: CountKept, CountKeptV2.NAME: CountKeptV2}
    assert counted_versions.announcements.newest == {CountKeptV2.NAME: CountKeptV2}
