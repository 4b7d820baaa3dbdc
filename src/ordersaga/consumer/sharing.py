"""How the workers of a group share its queues without a coordinator: a worker above its fair share releases one."""

from collections.abc import Sequence

import prometheus_client

HELD = prometheus_client.Gauge("ordersaga_held_queues", "Queues whose active consumer is this worker", ["group"])
RELEASED = prometheus_client.Counter("ordersaga_queues_released_total", "Queues released to another worker", ["group"])

CHECK_SECONDS = 1.0
"""Between two checks of how many workers there are, on average."""
MAX_PAUSE_SECONDS = 300.0
"""Longest time between two releases of a queue that comes back each time."""
NEXT_CHECK_SECONDS = 0.1
"""Until the next check while more than one queue may have to be released."""


def fair_share(queues: int, workers: int) -> int:
    """The most queues that one worker holds when all queues are spread evenly."""
    return -(-queues // max(1, workers))


def surplus_queue(held: Sequence[str], queues: int, workers: int) -> str | None:
    """The queue to release: the last one acquired if the worker holds more than its share, else None.

    The broker gives the queue to the worker that has waited longest for it. If that worker has its share already, the
    queue is the last one acquired there too and is released again; so a surplus queue visits each worker at most once
    before it reaches one below its share, and stays there.
    """
    return held[-1] if len(held) > fair_share(queues, workers) else None


class Releases:
    """Decides whether to release a surplus queue: each time it has come back, the next release waits twice as long.

    While a node of a cluster is away, the broker counts consumers that were connected to it among those that wait, so
    that a worker alone seems to be one of two. Once the count changes, it tries again at once.
    """

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._in_vain = 0
        self._not_before = 0.0

    def may_release(self, queue: str, workers: int, now: float) -> bool:
        """Args: `now` in seconds of any steady clock."""
        if (queue, workers) != self._last:
            self._last, self._in_vain = (queue, workers), 0
        elif now < self._not_before:
            return False
        else:
            self._in_vain += 1
        self._not_before = now + min(MAX_PAUSE_SECONDS, CHECK_SECONDS * 2 ** (self._in_vain + 1))
        return True
