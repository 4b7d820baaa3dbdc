"""`python -m tests.support.killed_change`: changes the number of queues and kills itself amid it."""

import json
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel

from ordersaga.broker import pause_locks
from ordersaga.broker.change import QueueChange
from ordersaga.broker.topology import Group


def killing(call: Callable[..., Any], number: int, name: str) -> Callable[..., Any]:
    """The same, but for the call that kills; of `close_gates`, after it."""
    calls = count(1)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        is_last = not options.get("passive") and next(calls) == number
        if is_last and name == "close_gates":
            call(*arguments, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return wrapped


def main() -> None:
    task = json.loads(sys.argv[1])
    name = task["kill"]
    place: Any = pause_locks if name == "close_gates" else BlockingChannel
    setattr(place, name, killing(getattr(place, name), task["call"], name))
    group = Group(task["group"], tuple(task["contracts"]), task["queues"])
    QueueChange([group], task["amqp_url"], task["leads"], task["gates"], 60, print).run()


if __name__ == "__main__":
    main()
