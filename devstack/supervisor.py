"""Starts a stack in order, restarts processes that die, and stops all in reverse: one thread owns every child."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from devstack.death import Death
from devstack.log_rotation import rotate_all
from devstack.managed import Managed, did_not_start
from ordersaga.cli.errors import Failed
from ordersaga.runtime.backoff import Backoff

START_SECONDS = 120
"""For everything of one phase to become ready."""
ATTEMPTS = 3
"""Deaths of a process that was never ready, after which the start fails."""
BACKOFF = Backoff(first=0.2, longest=30.0, jitter=0)
GOOD_RUN = 60
"""Seconds after which earlier deaths of a process no longer count."""
POLL = 0.1
ROTATION_SECONDS = 5.0
"""Between two looks at the sizes of the logs."""


class Stopping(Exception):
    """The stack was told to stop while it was starting."""


@dataclass(frozen=True)
class Step:
    """Work between servers and processes, such as migrations; `run` is given a test for "stop now"."""

    name: str
    needs: Sequence[str]
    """Names of the servers that have to be ready first."""
    run: Callable[[Callable[[], bool]], None]


@dataclass
class StartProgress:
    """How far one server, step or process is; read by displays in other threads."""

    state: str = "waiting"
    since: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    """From launch to ready."""

    def begin(self, state: str) -> None:
        self.state, self.since, self.seconds = state, time.monotonic(), None

    def done(self, state: str) -> None:
        self.state, self.seconds = state, time.monotonic() - self.since


@dataclass
class Restarts:
    """How often a process died in a row, and when it may be launched again."""

    deaths: int = 0
    launched: float = 0.0
    next_launch: float | None = None

    def died(self) -> float:
        """Seconds until the next launch: 0.2, 0.4, ... 30."""
        self.deaths = 1 if time.monotonic() - self.launched > GOOD_RUN else self.deaths + 1
        wait = BACKOFF.seconds(self.deaths)
        self.next_launch = time.monotonic() + wait
        return wait


class Supervisor(threading.Thread):
    """`start` it, wait for `ready` or `ended`, then `shut_down`.

    One thread launches everything and stays to the end, because the kernel's parent death signal comes when
    the launching *thread* ends; so the main thread stays free for signals, a display or a demo.
    """

    def __init__(
        self,
        servers: Sequence[Managed],
        steps: Sequence[Step],
        processes: Sequence[Managed],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(name="supervisor")
        self._servers, self._steps, self._processes = servers, steps, processes
        self._say = say
        self._stop_now = threading.Event()
        self._next_rotation = 0.0
        self._restarts = {managed.name: Restarts() for managed in (*servers, *processes)}
        self._held: set[str] = set()
        names = [*(s.name for s in servers), *(s.name for s in steps), *(p.name for p in processes)]
        self.progress = {name: StartProgress() for name in names}
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.failure: Exception | None = None
        self.deaths: list[Death] = []
        """Of everything that ended before the supervisor stopped it, in the order in which it was seen."""

    def run(self) -> None:
        try:
            self._bring_up()
            self.ready.set()
            while not self._stop_now.wait(POLL):
                self._restart_dead()
                self._rotate_logs()
        except Stopping:
            pass
        except Exception as error:  # noqa: BLE001
            self.failure = error
        finally:
            self._take_down()
            self.ended.set()

    def shut_down(self) -> None:
        """Stop everything; returns when it is gone."""
        self._stop_now.set()
        if self.ident is not None:
            self.join()

    def hold(self, name: str) -> None:
        """Once it has died, do not start it again before `release`; from any thread."""
        self._held.add(name)

    def release(self, name: str) -> None:
        """Start it at once if it has died meanwhile, however often it has died before."""
        self._held.discard(name)
        restarts = self._restarts[name]
        restarts.deaths = 0
        if restarts.next_launch is not None:
            restarts.next_launch = time.monotonic()

    def _bring_up(self) -> None:
        for server in self._servers:
            self._launch(server)
        for step in self._steps:
            self._await(step.needs)
            self._run(step)
        for process in self._processes:
            self._launch(process)
        self._await(self._restarts)

    def _launch(self, managed: Managed) -> None:
        restarts = self._restarts[managed.name]
        restarts.next_launch, restarts.launched = None, time.monotonic()
        self.progress[managed.name].begin("starting")
        managed.launch()

    def _run(self, step: Step) -> None:
        progress = self.progress[step.name]
        progress.begin("running")
        step.run(self._stop_now.is_set)
        self._check_stopping()
        progress.done("done")

    def _await(self, names: Collection[str]) -> None:
        """Wait until those named are ready; everything else that is starting is checked too."""
        end = time.monotonic() + START_SECONDS
        while pending := self._starting(names):
            for managed in self._starting(self._restarts):
                self._check(managed)
            self._check_stopping()
            if time.monotonic() > end:
                raise Failed(f"{did_not_start(pending[0])}\n{others_not_ready(pending[1:])}".strip())
            self._stop_now.wait(POLL)

    def _starting(self, names: Collection[str]) -> list[Managed]:
        """Those named that are launched and not ready yet."""
        everything = (*self._servers, *self._processes)
        return [one for one in everything if one.name in names and self.progress[one.name].state == "starting"]

    def _check(self, managed: Managed) -> None:
        restarts = self._restarts[managed.name]
        if restarts.next_launch is not None:
            if time.monotonic() >= restarts.next_launch:
                self._launch(managed)
        elif managed.pid is None:
            self._note_death(managed)
            if restarts.deaths >= ATTEMPTS:
                raise Failed(did_not_start(managed))
        elif managed.is_ready():
            self.progress[managed.name].done("ready")

    def _check_stopping(self) -> None:
        if self._stop_now.is_set():
            raise Stopping

    def _restart_dead(self) -> None:
        for managed in (*self._servers, *self._processes):
            restarts, progress = self._restarts[managed.name], self.progress[managed.name]
            if restarts.next_launch is not None:
                if managed.name not in self._held and time.monotonic() >= restarts.next_launch:
                    self._launch(managed)
            elif managed.pid is None:
                wait = self._note_death(managed)
                progress.begin("died")
                when = "when it may" if managed.name in self._held else f"in {wait:.1f} s"
                self._say(f"{managed.name} died; restarting it {when}. Its log: {managed.log}")
            elif progress.state != "ready" and managed.is_ready():
                progress.done("ready")
                self._say(f"{managed.name} is ready again")

    def _note_death(self, managed: Managed) -> float:
        """Returns the seconds until the next launch."""
        if death := managed.death:
            self.deaths.append(death)
        return self._restarts[managed.name].died()

    def _rotate_logs(self) -> None:
        if time.monotonic() >= self._next_rotation:
            self._next_rotation = time.monotonic() + ROTATION_SECONDS
            rotate_all({managed.log.parent for managed in (*self._servers, *self._processes)})

    def _take_down(self) -> None:
        for group in (self._processes, self._servers):
            last_first = list(reversed(group))
            for act in ("ask_to_stop", "stop"):
                for managed in last_first:
                    self._end(managed, act)

    def _end(self, managed: Managed, act: str) -> None:
        """An error of one is reported, so that the others are stopped too."""
        try:
            getattr(managed, act)()
        except Exception as error:  # noqa: BLE001
            self._say(f"{managed.name}: could not {act.replace('_', ' ')}: {error!r}")
        if act == "stop":
            self.progress[managed.name].begin("stopped")


def others_not_ready(others: Sequence[Managed]) -> str:
    return f"Nor do: {', '.join(one.name for one in others)}." if others else ""
