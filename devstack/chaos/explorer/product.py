"""The product: an entry for each failpoint and each action, and the shards of them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from devstack.chaos.explorer.places import PLACES
from ordersaga.runtime.armed_failpoints import Action, Armed

ACTIONS: tuple[Action, ...] = get_args(Action)
STALL_SECONDS = 4.0
"""Longer than the idle sessions of relays (3 s), and than IDLE_IN_TRANSACTION_SECONDS of the stage."""


@dataclass(frozen=True)
class Entry:
    """One failpoint of one process with one action."""

    point: str
    action: Action
    process: str

    @property
    def armed(self) -> Armed:
        stalls = self.action == "stall"
        return Armed(self.point, self.action, seconds=STALL_SECONDS) if stalls else Armed(self.point, self.action)

    @property
    def provocation(self) -> str:
        return PLACES[self.point].provocation

    def __str__(self) -> str:
        return f"{self.point}={self.action} in {self.process}"


def product(every_process: bool = False) -> list[Entry]:
    """Every failpoint times every action; of several processes that pass a failpoint, one for each action in turn,
    or every one."""
    return list(entries(every_process))


def entries(every_process: bool) -> Iterator[Entry]:
    """Action by action, so that a shard has as many of each."""
    for turn, action in enumerate(ACTIONS):
        for number, (point, place) in enumerate(PLACES.items()):
            one = place.processes[(number + turn) % len(place.processes)]
            for process in place.processes if every_process else (one,):
                yield Entry(point, action, process)


def rounds(entries: Sequence[Entry], at_once: int) -> list[list[Entry]]:
    """The entries in rounds of at most so many, each in a process of its own."""
    found: list[list[Entry]] = []
    for entry in entries:
        place = next((each for each in found if len(each) < at_once and fits(entry, each)), None)
        if place is None:
            found.append([entry])
        else:
            place.append(entry)
    return found


def fits(entry: Entry, others: Sequence[Entry]) -> bool:
    return entry.process not in {other.process for other in others}


def chosen(
    found: Sequence[Entry], points: Collection[str], actions: Collection[str], shard: tuple[int, int]
) -> list[Entry]:
    """Those of these points and actions, all if none is named; of them every nth, which mixes long and short ones.

    `shard` is a number from 1 and how many there are.
    """
    wanted = [
        entry for entry in found if (not points or entry.point in points) and (not actions or entry.action in actions)
    ]
    number, of = shard
    return wanted[number - 1 :: of]
