"""A chaos run: a stack of its own, a load, faults by a schedule, healing, draining, the check, the report."""

import shlex
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import format_exc

from rich.console import Console

from devstack.chaos.checker.conclude import conclude
from devstack.chaos.checker.memory import read
from devstack.chaos.history import History, Operation
from devstack.chaos.killed_children import killed_children
from devstack.chaos.load import Load
from devstack.chaos.memory_samples import FILE, MemorySampler
from devstack.chaos.report.facts import Facts, server_versions
from devstack.chaos.report.latency import Ended, ended_orders
from devstack.chaos.report.report import Report
from devstack.chaos.run_verdicts import exits, injected, recorded, recovered
from devstack.chaos.schedule import Kind, Scheduled, schedule
from devstack.chaos.stage import Stage, staged
from devstack.chaos.timeline import Moment, Timeline
from devstack.chaos.torturer import Torturer
from devstack.chaos.verdict import Verdict
from devstack.chaos.watch import Watch, WatchSample
from ordersaga.cli.errors import Failed

SETTINGS = {"ORDER_DEADLINE_SECONDS": "40", "STRIPE_TIMEOUT_SECONDS": "2"}
"""Short, so that a fault makes orders run into their deadline; the environment wins."""
SETTLE_SECONDS = 180
"""For each step from the last heal to the verdicts."""


@dataclass(frozen=True)
class Plan:
    """What is to be run; `kinds` are the faults that the schedule is made of."""

    seed: int
    minutes: float
    rate: float
    kinds: Mapping[str, Kind]
    directory: Path

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def schedule(self) -> list[Scheduled]:
        return schedule(self.seed, self.seconds, self.kinds.values())


@dataclass
class ChaosRun:
    """Call `perform` once; afterwards everything that is known stands in its attributes, whatever has happened."""

    plan: Plan
    console: Console
    caller: Mapping[str, str]
    said: Callable[[Moment], None]
    scheduled: list[Scheduled] = field(default_factory=list)
    operations: Sequence[Operation] = ()
    samples: Sequence[WatchSample] = ()
    ended: Sequence[Ended] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    trouble: str = ""
    """What kept the run from its end, with the traceback."""
    interrupted: bool = False
    servers: Mapping[str, str] = field(default_factory=dict)
    """Their versions."""
    torturer: Torturer | None = None
    watch: Watch | None = None

    def __post_init__(self) -> None:
        self.plan.directory.mkdir(parents=True, exist_ok=True)
        self.scheduled = self.plan.schedule()
        self.timeline = Timeline(self.plan.directory / "timeline.jsonl", self.said)

    def perform(self, show: Callable[["ChaosRun"], None] = lambda _: None) -> None:
        """`show` is called once a second.

        Raises Failed or CannotRunHere when the stack does not start; whatever happens later stands in `trouble`.
        """
        caller = {**SETTINGS, **self.caller}
        with staged(self.plan.directory, self.console, caller) as stage:
            try:
                self._on(stage, show)
            except KeyboardInterrupt:
                self.interrupted = True
                self.trouble = self.trouble or "Interrupted before the check had ended."
            except Exception:  # noqa: BLE001
                self.trouble = format_exc()
            finally:
                self.timeline.close()

    def _on(self, stage: Stage, show: Callable[["ChaosRun"], None]) -> None:
        self.servers = server_versions(stage)
        with History(self.plan.directory / "history.jsonl") as history:
            load = Load(stage, history, rate=self.plan.rate, seed=self.plan.seed)
            self.operations = load.operations
            load.open()
            self.timeline.begin()
            sampler = MemorySampler(stage.scene.records, self.plan.directory)
            stage = replace(stage, history=history, sampler=sampler)
            torturer = self.torturer = Torturer(stage, self.scheduled, dict(self.plan.kinds), self.timeline)
            with sampler, Watch(stage, self.timeline, self.counts) as self.watch:
                self.samples = self.watch.samples
                try:
                    self.torture(stage, load, torturer, show)
                    verdicts = conclude(stage, history, load, SETTLE_SECONDS, say=self._say)
                finally:
                    load.stop()
                    self.ended = ended_orders(stage.stack.environments.owner_urls(), self.timeline.began_at)
            lacking = {number: lacks for number, fault in torturer.faults.items() if (lacks := fault.lacks())}
            self.verdicts.append(injected(self.scheduled, self.timeline.moments, lacking, self.interrupted))
            self.verdicts += [*verdicts, recovered(self.timeline.moments)]
            self.verdicts.append(recorded(self.timeline.lacks(), self.watch.lacks()))
            children = killed_children(stage.stack.state.logs)
            self.verdicts.append(exits(stage.stack.supervisor.deaths, stage.signals, self.timeline.began_at, children))

    def torture(self, stage: Stage, load: Load, torturer: Torturer, show: Callable[["ChaosRun"], None]) -> None:
        """Load and faults until the time is over or somebody interrupts; then everything is healed.

        Raises Failed when nobody starts the processes of the stack again any more, as when their records cannot be
        written.
        """
        try:
            load.start()
            torturer.start()
            # The torturer takes longer than its schedule when a server is slow to come back.
            while self.timeline.now() < self.plan.seconds or torturer.is_alive():
                if stage.stack.supervisor.ended.is_set():
                    raise Failed(f"The stack has ended: {stage.stack.supervisor.failure!r}")
                show(self)
                time.sleep(1)
        except KeyboardInterrupt:
            self.interrupted = True
            self._say("Interrupted: everything is healed, drained and checked.")
        finally:
            torturer.finish()

    def _say(self, text: str) -> None:
        self.timeline.note("phase", text)

    def counts(self) -> tuple[int, int, int]:
        """Orders acknowledged, refused and unanswered."""
        found = Counter(each.outcome for each in list(self.operations) if each.kind == "place_order")
        return found["ok"], found["fail"], found["indeterminate"]

    def active(self) -> list[Scheduled]:
        """The faults that are injected and not healed."""
        return list(self.torturer.active.values()) if self.torturer else []

    def report(self) -> Report:
        plan = self.plan
        facts = Facts.of(plan.seed, plan.minutes, plan.rate, command_of(plan), self.timeline.began_at, self.servers)
        commands = [(each.kind, each.outcome) for each in self.operations]
        return Report(
            facts, self.scheduled, self.timeline.moments, self.verdicts, self.samples, self.ended,
            read(plan.directory / FILE), commands, self.trouble, self.interrupted,
        )  # fmt: skip


def command_of(plan: Plan) -> str:
    """What repeats the run."""
    from devstack.chaos.faults.catalogue import FAULTS

    words = ["./ordersaga", "chaos", "run", "--seed", str(plan.seed), "--minutes", f"{plan.minutes:g}"]
    words += ["--rate", f"{plan.rate:g}"]
    if left_out := [name for name in FAULTS if name not in plan.kinds]:
        only = len(left_out) > len(plan.kinds)
        for name in plan.kinds if only else left_out:
            words += ["--fault" if only else "--without", name]
    return shlex.join(words)


def remove_state(directory: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(directory / "state")
