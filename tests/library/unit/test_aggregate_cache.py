"""What a worker keeps of the aggregates that it used: the last ones, in the state that is stored."""

from uuid import UUID, uuid4

from ordersaga.store.aggregates import History
from ordersaga.store.cache import NO_CACHE, AggregateCache
from tests.support.counting import Counter


def used(number: int) -> list[History]:
    counters = [Counter(id=uuid4()) for _ in range(number)]
    for counter in counters:
        counter.collect_events()
    return [History(counter, b"") for counter in counters]


def ids(histories: list[History]) -> list[UUID]:
    return [history.aggregate.id for history in histories]


def test_a_full_cache_drops_what_was_unused_for_longest_and_nothing_else() -> None:
    cache, histories = AggregateCache(3), used(4)
    cache.keep(histories[:3])
    assert list(cache.take(ids(histories))) == ids(histories[:3])
    cache.keep(histories[:3])
    cache.keep(histories[3:])
    assert list(cache.take(ids(histories))) == ids(histories[1:])


def test_what_is_taken_is_no_longer_there_and_what_is_not_saved_is_not_kept() -> None:
    cache, [history] = AggregateCache(1), used(1)
    cache.keep([history])
    assert cache.take(ids([history])) == {history.aggregate.id: history}
    assert cache.take(ids([history])) == {}
    assert isinstance(history.aggregate, Counter)
    history.aggregate.keep(1)
    cache.keep([history])
    assert cache.take(ids([history])) == {}


def test_the_cache_of_those_who_want_none_keeps_nothing() -> None:
    histories = used(1)
    NO_CACHE.keep(histories)
    assert NO_CACHE.take(ids(histories)) == {}


def test_the_stored_version_of_an_aggregate_is_that_without_what_nobody_has_saved() -> None:
    [history] = used(1)
    assert history.stored_version == 1
    assert isinstance(history.aggregate, Counter)
    history.aggregate.keep(1)
    assert (history.aggregate.version, history.stored_version) == (2, 1)
