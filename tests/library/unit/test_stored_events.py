"""Events as they are stored: explicit topics that import nothing, snapshots, and the hash chain."""

import sys
from dataclasses import replace
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from ordersaga.envelope.message import Cause
from ordersaga.store.aggregates import record, snapshot_of
from ordersaga.store.hash_chain import GENESIS, chain
from ordersaga.store.topics import UnknownTopic, mapper
from tests.support.counting import Counter

ID = UUID("01890000-0000-7000-8000-000000000001")
OTHER = UUID("01890000-0000-7000-8000-000000000002")
STORED = StoredEvent(ID, 2, "counter.kept", b'{"number":1}')
CAUSE = Cause(correlation_id=ID, causation_id=OTHER, actor="alice", traceparent="00-aa-bb-01")


@pytest.mark.parametrize(
    "topic",
    [
        "counter.shredded",
        "counter",
        "json.tool",
        "os:system",
        "tests.support.counting:Counter.Kept",
        "this.that",
        "this",
    ],
)
def test_an_unknown_topic_is_an_error_and_imports_nothing(topic: str) -> None:
    sys.modules.pop("this", None)
    before = set(sys.modules)
    with pytest.raises(UnknownTopic, match=topic):
        mapper.to_domain_event(StoredEvent(ID, 1, topic, b"{}"))
    assert set(sys.modules) == before


@pytest.mark.parametrize("topic", ["this:s", "json.tool", "tests.support.counting:Counter"])
def test_an_unknown_aggregate_inside_an_event_imports_nothing(topic: str) -> None:
    [created] = Counter(id=ID).collect_events()
    [row] = record([created], GENESIS, CAUSE)
    forged = replace(row.stored, state=row.stored.state.replace(b'"originator_topic":"counter"', topic_json(topic)))
    assert forged != row.stored
    sys.modules.pop("this", None)
    before = set(sys.modules)
    with pytest.raises(UnknownTopic, match=topic):
        mapper.to_domain_event(forged)
    assert set(sys.modules) == before


def topic_json(topic: str) -> bytes:
    return f'"originator_topic":"{topic}"'.encode()


def test_an_unknown_aggregate_inside_a_snapshot_imports_nothing() -> None:
    counter = Counter(id=ID)
    counter.collect_events()
    snapshot = snapshot_of(counter)
    forged = replace(snapshot, state=snapshot.state.replace(b'"topic":"counter"', b'"topic":"this:s"'))
    assert forged != snapshot
    with pytest.raises(UnknownTopic, match="this:s"):
        mapper.to_domain_event(forged)


def test_an_aggregate_comes_back_from_its_snapshot_and_goes_on() -> None:
    counter = Counter(id=ID)
    counter.keep(7)
    counter.collect_events()
    copy = mapper.to_domain_event(snapshot_of(counter)).mutate(None)
    assert isinstance(copy, Counter)
    assert (copy.id, copy.version, copy.numbers) == (ID, 2, [7])
    copy.keep(8)
    [event] = copy.collect_events()
    assert (event.originator_version, type(event)) == (3, Counter.Kept)


def test_the_chain_of_an_event_never_changes() -> None:
    assert chain(GENESIS, STORED, CAUSE).hex() == "45f792a64c894c56a696eca271d953c0a2434da0556949fb91fca64b7dc19c82"


@pytest.mark.parametrize(
    ("previous", "stored", "cause"),
    [
        (bytes(31) + b"\x01", STORED, CAUSE),
        (GENESIS, replace(STORED, originator_id=OTHER), CAUSE),
        (GENESIS, replace(STORED, originator_version=3), CAUSE),
        (GENESIS, replace(STORED, topic="counter.opened"), CAUSE),
        (GENESIS, replace(STORED, state=b'{"number":2}'), CAUSE),
        (GENESIS, STORED, replace(CAUSE, correlation_id=OTHER)),
        (GENESIS, STORED, replace(CAUSE, causation_id=ID)),
        (GENESIS, STORED, replace(CAUSE, causation_id=None)),
        (GENESIS, STORED, replace(CAUSE, actor="mallory")),
        (GENESIS, replace(STORED, topic="counter.kep", state=b't{"number":1}'), CAUSE),
    ],
    ids=["previous", "id", "version", "topic", "state", "correlation", "causation", "no cause", "actor", "shifted"],
)
def test_the_hash_changes_with_every_part_that_it_covers(previous: bytes, stored: StoredEvent, cause: Cause) -> None:
    assert chain(previous, stored, cause) != chain(GENESIS, STORED, CAUSE)


def test_each_event_of_a_stream_continues_the_hash_of_the_one_before() -> None:
    counter = Counter(id=ID)
    counter.keep(7)
    first, second = record(counter.collect_events(), GENESIS, CAUSE)
    assert first.hash == chain(GENESIS, first.stored, CAUSE)
    assert second.hash == chain(first.hash, second.stored, CAUSE)
