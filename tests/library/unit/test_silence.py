"""A relay distinguishes a silent queue from a node that confirms nothing although its queues answer."""

from collections.abc import Iterable
from uuid import UUID

import pytest

from ordersaga.broker.silent_queues import SilentQueues
from ordersaga.relay.detached import STRANGERS
from ordersaga.relay.publisher import BrokerUnavailable
from ordersaga.relay.silence import NODE_SECONDS, Silence
from tests.support.workers import counted

GROUPS = {"listener": ("test.counted.v1",)}
UNCONFIRMED = [counted(UUID(int=1), 1)]


class Asked(SilentQueues):
    """Queues of which `slow` give no answer, without a broker."""

    def __init__(self, slow: Iterable[str] = ()) -> None:
        super().__init__("", "", GROUPS)
        self.slow = list(slow)

    def ask(self) -> None:
        self.rounds += 1

    def silent(self) -> list[str]:
        return self.slow

    def bound(self, routing_keys: Iterable[str]) -> list[str]:
        return ["listener.0"]


def silence(slow: Iterable[str] = (), detached: Iterable[str] = (STRANGERS,)) -> Silence:
    return Silence("", "", Asked(slow), GROUPS, lambda: list(detached))


def check(asked: Silence, seconds: float) -> None:
    for _ in range(4):
        asked._round = -1
        asked.check(seconds, lambda: UNCONFIRMED)


def test_a_node_is_left_when_nothing_is_confirmed_and_there_is_nothing_left_to_publish_around() -> None:
    asked = silence()
    check(asked, NODE_SECONDS - 1)
    with pytest.raises(BrokerUnavailable, match="every queue answers"):
        check(asked, NODE_SECONDS + 1)


def test_it_is_not_left_before_every_queue_has_answered() -> None:
    check(silence(["listener.0"], detached=()), NODE_SECONDS / 2)
    unasked = silence()
    unasked.check(NODE_SECONDS + 1, lambda: UNCONFIRMED)
