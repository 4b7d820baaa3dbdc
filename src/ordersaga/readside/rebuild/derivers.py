"""Processes that derive messages in parallel: making messages takes more time than storing them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Any, cast

import psycopg

from ordersaga.readside.rebuild import session, stores
from ordersaga.readside.rebuild.derivation import derive
from ordersaga.store.announcements import Announcements

POSITIONS_PER_TASK = 10_000
"""About half a second of work."""
MIN_POSITIONS = 30_000
"""With fewer positions, starting processes takes longer than they save."""
MAX_PROCESSES = 4
Progress = Callable[[int, int, int], None]
"""Called with the number of positions, events and messages that a task has done."""


@dataclass(frozen=True)
class DeriveTask:
    """A range of positions of one store, in a snapshot that another connection keeps open."""

    source: str
    exported: str
    after: int
    last: int


@dataclass(frozen=True)
class DeriveJob:
    """The common part of all tasks of a rebuild; it is sent to other processes."""

    urls: Mapping[str, str]
    """By source, the URL of its event store."""
    announcements: Mapping[str, Announcements]
    """By source."""
    target: str
    """URL of the read side's database."""
    table: str
    """The table of the shadow that the messages go into."""


def tasks(snapshots: Mapping[str, stores.StoreSnapshot]) -> list[DeriveTask]:
    """All positions of these stores, in tasks of about the same size."""
    return [
        DeriveTask(source, snapshot.exported, after, min(after + POSITIONS_PER_TASK, snapshot.last_position))
        for source, snapshot in snapshots.items()
        for after in range(0, snapshot.last_position, POSITIONS_PER_TASK)
    ]


def derive_all(job: DeriveJob, work: Sequence[DeriveTask], progress: Progress) -> None:
    """Do all tasks, in parallel if that is faster. Raises RebuildRefused when one of the processes failed."""
    number = min(MAX_PROCESSES, os.cpu_count() or 1)
    if number == 1 or sum(task.last - task.after for task in work) < MIN_POSITIONS:
        with Deriver(job) as deriver:
            for task in work:
                progress(task.last - task.after, *deriver.do(task))
    else:
        derive_in_parallel(job, work, progress, number)


class Deriver:
    """Does tasks; keeps one connection to the read side, and one to each store of its tasks."""

    def __init__(self, job: DeriveJob) -> None:
        self._job = job
        self._open = ExitStack()
        self._stores: dict[str, psycopg.Connection[Any]] = {}
        self._target = self._open.enter_context(session.connect(job.target))

    def __enter__(self) -> "Deriver":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def do(self, task: DeriveTask) -> tuple[int, int]:
        """Derive the messages of a task. Returns the number of events and of messages."""
        if task.source not in self._stores:
            store = self._open.enter_context(stores.open_store(self._job.urls[task.source]))
            stores.join_snapshot(store, task.exported)
            self._stores[task.source] = store
        events = stores.stretch(self._stores[task.source], task.after, task.last)
        return derive(self._target, self._job.table, self._job.announcements[task.source], events)


def serve(pipe: Pipe, job: DeriveJob) -> None:
    """Do the tasks that come through the pipe, until the pipe closes, also when the parent dies."""
    with Deriver(job) as deriver:
        while True:
            try:
                task = pipe.recv()
            except (EOFError, KeyboardInterrupt):
                return
            try:
                pipe.send(deriver.do(task))
            except KeyboardInterrupt:
                return
            except Exception as error:  # noqa: BLE001 - the parent raises it
                pipe.send(f"{task.source}, events {task.after} to {task.last}: {error!r}")


def derive_in_parallel(job: DeriveJob, work: Sequence[DeriveTask], progress: Progress, number: int) -> None:
    """Do all tasks with `number` processes."""
    left = list(reversed(work))
    with processes(number, job) as pipes:
        doing = {pipe: left.pop() for pipe in pipes[: len(left)]}
        for pipe, task in doing.items():
            pipe.send(task)
        while doing:
            for ready in wait(list(doing)):
                pipe = cast(Pipe, ready)
                task = doing.pop(pipe)
                progress(task.last - task.after, *answer(pipe))
                if left:
                    doing[pipe] = left.pop()
                    pipe.send(doing[pipe])


def answer(pipe: Pipe) -> tuple[int, int]:
    """The result of a task. Raises RebuildRefused: the task or its process failed."""
    try:
        done: tuple[int, int] | str = pipe.recv()
    except EOFError:
        raise session.RebuildRefused("A process that derives messages has died. Run the rebuild again.") from None
    if isinstance(done, str):
        raise session.RebuildRefused(f"Messages could not be derived from {done}")
    return done


@contextmanager
def processes(number: int, job: DeriveJob) -> Iterator[list[Pipe]]:
    """Pipes to `number` processes, which end with the block."""
    context, pipes, started = get_context("spawn"), [], []
    try:
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, job), daemon=True)
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
