"""Processes that derive messages beside one another: making them takes more time than storing them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Any, cast

import psycopg

from projections.rebuild import session, stores
from projections.rebuild.derivation import derive

AT_ONCE = 10_000
"""Positions in a task: about half a second."""
WORTH_IT = 30_000
"""Events from which on processes are worth the second that they take to start."""
MOST = 4
Told = Callable[[int, int, int], None]
"""Is told how many positions, events and messages are done."""


@dataclass(frozen=True)
class Task:
    """A stretch of one store, as of a moment that somebody else holds."""

    service: str
    exported: str
    after: int
    last: int


def tasks(moments: dict[str, stores.Moment]) -> list[Task]:
    return [
        Task(service, moment.exported, after, min(after + AT_ONCE, moment.last_position))
        for service, moment in moments.items()
        for after in range(0, moment.last_position, AT_ONCE)
    ]


def derive_all(urls: dict[str, str], target: str, table: str, work: Sequence[Task], told: Told) -> None:
    """Raises Refused when one of the processes failed."""
    number = min(MOST, os.cpu_count() or 1)
    if number == 1 or sum(task.last - task.after for task in work) < WORTH_IT:
        with Deriver(urls, target, table) as deriver:
            for task in work:
                told(task.last - task.after, *deriver.do(task))
    else:
        derive_beside(urls, target, table, work, told, number)


class Deriver:
    """Keeps one connection to each store of the tasks it is given, and one to the read side."""

    def __init__(self, urls: dict[str, str], target: str, table: str) -> None:
        self._urls = urls
        self._table = table
        self._open = ExitStack()
        self._stores: dict[str, psycopg.Connection[Any]] = {}
        self._target = self._open.enter_context(session.connect(target))

    def __enter__(self) -> "Deriver":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def do(self, task: Task) -> tuple[int, int]:
        """How many events and messages it were."""
        if task.service not in self._stores:
            store = self._open.enter_context(stores.open_store(self._urls[task.service]))
            stores.join_moment(store, task.exported)
            self._stores[task.service] = store
        events = stores.stretch(self._stores[task.service], task.after, task.last)
        return derive(self._target, self._table, task.service, events)


def serve(pipe: Pipe, urls: dict[str, str], target: str, table: str) -> None:
    """Do the tasks that come through the pipe, until it is closed: by its owner or by his death."""
    with Deriver(urls, target, table) as deriver:
        while True:
            try:
                task = pipe.recv()
            except (EOFError, KeyboardInterrupt):
                return
            try:
                pipe.send(deriver.do(task))
            except KeyboardInterrupt:
                return
            except Exception as error:  # noqa: BLE001 - it is told to the owner, who ends
                pipe.send(f"{task.service}, events {task.after} to {task.last}: {error!r}")


def derive_beside(urls: dict[str, str], target: str, table: str, work: Sequence[Task], told: Told, number: int) -> None:
    left = list(reversed(work))
    with processes(number, urls, target, table) as pipes:
        doing = {pipe: left.pop() for pipe in pipes[: len(left)]}
        for pipe, task in doing.items():
            pipe.send(task)
        while doing:
            for ready in wait(list(doing)):
                pipe = cast(Pipe, ready)
                task = doing.pop(pipe)
                told(task.last - task.after, *answer(pipe))
                if left:
                    doing[pipe] = left.pop()
                    pipe.send(doing[pipe])


def answer(pipe: Pipe) -> tuple[int, int]:
    try:
        done: tuple[int, int] | str = pipe.recv()
    except EOFError:
        raise session.Refused("A process that derives messages has died. Run the rebuild again.") from None
    if isinstance(done, str):
        raise session.Refused(f"Messages could not be derived from {done}")
    return done


@contextmanager
def processes(number: int, urls: dict[str, str], target: str, table: str) -> Iterator[list[Pipe]]:
    context, pipes, started = get_context("spawn"), [], []
    try:
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, urls, target, table), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            started.append(process)
        yield pipes
    except BaseException:
        for process in started:
            process.terminate()
        raise
    finally:
        for pipe in pipes:
            pipe.close()
        for process in started:
            process.join()
