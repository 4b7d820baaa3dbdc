"""Cost: the CPU time and the pages that a step takes, of a client and of its session in Postgres."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import Connection

PAGES = "select sum(hits + reads) from pg_stat_get_backend_io(pg_backend_pid())"


class Cost(NamedTuple):
    """Of one step, on average: milliseconds of CPU of the client and of its session in Postgres, and pages touched."""

    client: float
    postgres: float
    pages: float

    @property
    def cpu(self) -> float:
        return self.client + self.postgres


Costs = dict[str, Cost]


def mean_of(costs: Sequence[Cost]) -> Cost:
    client, postgres, pages = (sum(figures) / len(costs) for figures in zip(*costs, strict=True))
    return Cost(client, postgres, pages)


def cost(connection: Connection[Any], steps: Iterable[Callable[[], object]]) -> Cost:
    """Of one of the steps on this connection, on average."""
    process = connection.info.backend_pid
    todo = list(steps)
    number = len(todo)
    touched, began = pages(connection), (time.thread_time_ns(), on_cpu(process))
    for step in todo:
        step()
    spent = time.thread_time_ns() - began[0], on_cpu(process) - began[1]
    client, postgres = (nanoseconds / 1e6 / number for nanoseconds in spent)
    return Cost(client, postgres, (pages(connection) - touched) / number)


def pages(connection: Connection[Any]) -> int:
    """Pages that the session has touched so far."""
    connection.execute("select pg_stat_force_next_flush()")
    return int(connection.execute(PAGES).fetchall()[0][0] or 0)


def on_cpu(process: int) -> int:
    """Nanoseconds that a process has had of a core."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
