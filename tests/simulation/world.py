"""World: the threads of the product as greenlets, which run one at a time until they wait, and the only clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from greenlet import getcurrent, greenlet

TICK = 0.0001
"""Seconds that pass with each step, so that no loop waits for a clock that stands still."""


class Killed(BaseException):
    """The process was killed; its `finally` blocks run in vain, because each call to a server raises this again."""


def never() -> bool:
    return False


class Task:
    """One thread of the product: it runs until its next call to a server, or until it waits."""

    def __init__(self, world: "World", name: str, work: Callable[[], None], host: str) -> None:
        self.name = name
        self.host = host
        """The process that it belongs to, and dies with."""
        self.is_killed = False
        self.error: BaseException | None = None
        """What ended it."""
        self._world = world
        self._work = work
        self._wake_at = 0.0
        self._is_ready: Callable[[], bool] = never
        self._greenlet = greenlet(self._run, world.hub)

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - the schedule decides whether it may end so
            self.error = error

    @property
    def has_ended(self) -> bool:
        return self.is_killed or self._greenlet.dead

    @property
    def wake_at(self) -> float:
        """When it goes on although nothing has happened."""
        return inf if self.has_ended else self._wake_at

    @property
    def is_runnable(self) -> bool:
        return not self.has_ended and (self._wake_at <= self._world.now or self._is_ready())

    def run(self) -> None:
        """Run until its next call or wait."""
        self._greenlet.switch()

    def wait(self, until: float, is_ready: Callable[[], bool]) -> None:
        """Let the others run; called by the task itself."""
        if self.is_killed:
            raise Killed
        self._wake_at, self._is_ready = until, is_ready
        self._world.hub.switch()
        if self.is_killed:
            raise Killed

    def kill(self) -> None:
        """End it at the call that it is in."""
        self.is_killed = True
        if self._greenlet:  # it has begun
            self._greenlet.throw(Killed)


class World:
    """One run of a schedule."""

    def __init__(self) -> None:
        self.now = 1000.0
        """Seconds, of every clock."""
        self.hub = getcurrent()
        self.tasks: list[Task] = []
        self._running: Task | None = None

    def spawn(self, name: str, work: Callable[[], None], host: str = "") -> Task:
        """Start a thread; `host` is the process, by default that of the thread which starts it."""
        self.tasks = [task for task in self.tasks if not task.has_ended]
        task = Task(self, name, work, host or self.host)
        self.tasks.append(task)
        return task

    @property
    def host(self) -> str:
        """The process of the thread that runs; empty: none runs."""
        return self._running.host if self._running else ""

    def pause(self, seconds: float = 0.0, is_ready: Callable[[], bool] = never) -> None:
        """Let the others run, for so long or until it is ready; once at least. Does nothing outside of a thread."""
        if task := self._running:
            task.wait(self.now + seconds, is_ready)
            self._running = task

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Wait until it holds, so long at most. Returns whether it does."""
        end = self.now + seconds
        while not until() and self.now < end:
            self.pause(end - self.now, until)
        return until()

    def run(self, task: Task) -> bool:
        """Run a task until its next call or wait. Returns False when it waits."""
        if not task.is_runnable:
            return False
        self.now += TICK
        self._running = task
        task.run()
        self._running = None
        return True

    def of_host(self, host: str) -> list[Task]:
        return [task for task in self.tasks if task.host == host and not task.has_ended]

    def kill(self, host: str) -> None:
        """SIGKILL a process."""
        for task in self.of_host(host):
            self._kill(task)

    def _kill(self, task: Task) -> None:
        self._running = task
        task.kill()
        self._running = None

    def end(self) -> None:
        for task in self.tasks:
            self._kill(task)


_current: list[World] = []


def current() -> World:
    """The world of the schedule that runs."""
    return _current[-1]


@contextmanager
def begun() -> Iterator[World]:
    """A world, for as long as the block lasts."""
    world = World()
    _current.append(world)
    try:
        yield world
    finally:
        world.end()
        _current.pop()
