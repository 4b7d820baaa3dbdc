"""Who gives which queue back, and that it comes to rest."""

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersaga.broker.topology import QUEUE_COUNTS
from ordersaga.consumer.sharing import MAX_PAUSE_SECONDS, Releases, fair_share, surplus_queue


class Line:
    """A queue as the broker sees it: its active worker first, then those that stand by, the longest waiting first."""

    def __init__(self, workers: list[int]) -> None:
        self.workers = deque(workers)

    def rotate(self) -> None:
        self.workers.rotate(-1)


class Group:
    """Workers and queues; `held` is in the order in which each worker got its queues."""

    def __init__(self, queues: int, workers: int) -> None:
        self.lines = {str(queue): Line(list(range(workers))) for queue in range(queues)}
        self.held: dict[int, list[str]] = {worker: [] for worker in range(workers)}
        for queue, line in self.lines.items():
            self.held[line.workers[0]].append(queue)

    def surplus(self) -> dict[int, str]:
        found = {w: surplus_queue(held, len(self.lines), len(self.held)) for w, held in self.held.items()}
        return {worker: queue for worker, queue in found.items() if queue}

    def give_back(self, worker: int, queue: str) -> None:
        self.held[worker].remove(queue)
        self.lines[queue].rotate()
        self.held[self.lines[queue].workers[0]].append(queue)

    def die(self, worker: int) -> None:
        for queue, line in self.lines.items():
            was_active = line.workers[0] == worker
            line.workers.remove(worker)
            if was_active:
                self.held[line.workers[0]].append(queue)
        del self.held[worker]

    def join(self, worker: int) -> None:
        self.held[worker] = []
        for line in self.lines.values():
            line.workers.append(worker)


@pytest.mark.parametrize(
    ("held", "queues", "workers", "expected"),
    [
        (["a"], 1, 1, None),
        (["a"], 1, 3, None),
        (["a", "b"], 2, 1, None),
        (["a", "b"], 2, 2, "b"),
        (["b", "a"], 2, 2, "a"),
        (["a", "b"], 4, 3, None),
        (["a", "b", "c"], 4, 3, "c"),
        ([], 4, 4, None),
        (["a"], 4, 0, None),
    ],
)
def test_the_queue_that_came_last_is_given_back_when_there_are_too_many(
    held: list[str], queues: int, workers: int, expected: str | None
) -> None:
    assert surplus_queue(held, queues, workers) == expected


@given(st.sampled_from(QUEUE_COUNTS), st.lists(st.sampled_from(["join", "die", "give back"]), max_size=40), st.data())
def test_however_workers_come_and_go_each_surplus_queue_moves_a_bounded_number_of_times(
    queues: int, acts: list[str], data: st.DataObject
) -> None:
    group, newest = Group(queues, 1), 0
    for act in acts:
        if act == "join":
            newest += 1
            group.join(newest)
        elif act == "die" and len(group.held) > 1:
            group.die(data.draw(st.sampled_from(sorted(group.held))))
        elif surplus := group.surplus():
            group.give_back(*data.draw(st.sampled_from(sorted(surplus.items()))))
    moves = 0
    while surplus := group.surplus():
        group.give_back(*data.draw(st.sampled_from(sorted(surplus.items()))))
        moves += 1
        assert moves <= queues * len(group.held)
    assert max(map(len, group.held.values())) <= fair_share(queues, len(group.held))
    assert sum(map(len, group.held.values())) == queues


def test_a_queue_that_comes_back_each_time_is_released_ever_more_rarely() -> None:
    releases = Releases()
    times = [now for now in range(4000) if releases.may_release("orders.1", 2, now)]
    assert times[:5] == [0, 2, 6, 14, 30]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert max(pauses) == MAX_PAUSE_SECONDS


def test_once_workers_come_or_go_or_another_queue_is_too_many_it_is_released_at_once() -> None:
    releases = Releases()
    assert releases.may_release("orders.1", 2, 0)
    assert not releases.may_release("orders.1", 2, 1)
    assert releases.may_release("orders.1", 3, 1)
    assert releases.may_release("orders.0", 3, 1)
