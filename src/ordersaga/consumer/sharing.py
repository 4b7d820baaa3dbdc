"""How the workers of a group share its queues without being told: who has more than a fair share gives back."""

from collections.abc import Sequence

import prometheus_client

HELD = prometheus_client.Gauge("ordersaga_held_queues", "Queues whose active consumer is this worker", ["group"])
GIVEN_BACK = prometheus_client.Counter(
    "ordersaga_queues_released_total", "Queues released to another worker", ["group"]
)

LOOK_SECONDS = 1.0
"""Between two looks at how many workers there are, on average."""
NEXT_SECONDS = 0.1
"""Until the next look when more than one queue may have to be given back."""


def fair_share(queues: int, workers: int) -> int:
    """Queues that one worker has at most when each has as few as can be."""
    return -(-queues // max(1, workers))


def to_give_back(held: Sequence[str], queues: int, workers: int) -> str | None:
    """The queue that came last, when there are too many, else None.

    The broker gives it to the worker that has waited longest for it. Should that one have its share already, it is
    the last that came there too and goes on; so a surplus queue visits each worker at most once before it finds one
    that has too few, and there it stays.
    """
    return held[-1] if len(held) > fair_share(queues, workers) else None
