"""Exploration: arms one failpoint after the other under the orders of its entry, heals, judges, and reports."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from traceback import format_exception_only

from devstack.chaos.checker.check import check
from devstack.chaos.checker.recovery import recover
from devstack.chaos.checker.settle import settle
from devstack.chaos.explorer.mix import Mix
from devstack.chaos.explorer.places import REBUILD, REFUSING
from devstack.chaos.explorer.product import Entry, rounds
from devstack.chaos.explorer.provocations import PROVOCATIONS
from devstack.chaos.explorer.settled import judge, settle_orders
from devstack.chaos.explorer.stage import ExplorerStage
from devstack.chaos.history import read
from devstack.chaos.json_lines import read_whole_lines
from devstack.chaos.verdict import Verdict

REACHED_SECONDS = 40
ENTRY_SECONDS = 90
"""An attempt at a parked message that was killed may be made again after 60 s."""
SETTLE_SECONDS = 120
REPORT = "entries.jsonl"


@dataclass
class Explored:
    """What came of one entry; it is good when its failpoint was reached and nothing is wrong afterwards."""

    entry: Entry
    reached: bool = False
    wrong: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def is_good(self) -> bool:
        return self.reached and not self.wrong

    def __str__(self) -> str:
        said = [] if self.reached else ["the failpoint was not reached"]
        return f"{self.entry}: {'; '.join([*said, *self.wrong]) or 'good'}, {self.seconds:.1f} s"


class Exploration:
    """Runs entries on one stage; the report has a line for each as soon as it is over."""

    def __init__(self, explorer: ExplorerStage, report: Path) -> None:
        self._explorer = explorer
        self._report = report

    def run(self, entries: Sequence[Entry], say: Callable[[Explored], None], at_once: int = 1) -> list[Explored]:
        """So many entries at once, each with orders of its own, in processes of their own."""
        done = []
        for each in rounds(entries, at_once):
            for explored in self.explore(each):
                done.append(explored)
                append(self._report, explored)
                say(explored)
        return done

    def explore(self, entries: Sequence[Entry]) -> list[Explored]:
        began = time.monotonic()
        explored = [Explored(entry) for entry in entries]
        mixes = [Mix(self._explorer, number) for number in range(len(entries))]
        with ThreadPoolExecutor(len(entries), "entry") as threads:
            list(threads.map(self._break, mixes, explored))
        self._check(mixes, explored)
        for each in explored:
            each.seconds = round(time.monotonic() - began, 1)
        return explored

    def _break(self, mix: Mix, explored: Explored) -> None:
        with noted(explored):
            try:
                self._provoke(explored.entry, mix, explored)
            finally:
                self._explorer.arming.disarm(explored.entry)

    def _provoke(self, entry: Entry, mix: Mix, explored: Explored) -> None:
        """The orders and the provocation, until both are over and the failpoint was reached."""
        explorer = self._explorer
        explorer.arming.arm(entry)
        with ThreadPoolExecutor(1, "provocation") as thread:
            provoking = thread.submit(PROVOCATIONS[entry.provocation], explorer, entry, mix)
            if entry.provocation in REFUSING:
                provoking.add_done_callback(lambda _: mix.may_accept.set())
            else:
                mix.may_accept.set()
            mix.begin()
            explored.reached = explorer.arming.await_reached(entry, REACHED_SECONDS)
            self._start_again(entry)
            mix.wait()
            self._start_again(entry)
            provoking.result()

    def _start_again(self, entry: Entry) -> None:
        """Without the pause that grows with each death of a process."""
        if entry.process != REBUILD:
            self._explorer.stage.stack.supervisor.release(entry.process)

    def _check(self, mixes: Sequence[Mix], explored: Sequence[Explored]) -> None:
        """What has not settled is wrong with every entry of the round."""
        for resolve in (True, False):
            missing = settle_orders(self._explorer, [order for mix in mixes for order in mix.orders], ENTRY_SECONDS)
            for mix, each in zip(mixes, explored, strict=True):
                each.wrong += missing
                if resolve:
                    mix.resolve()
        for mix, each in zip(mixes, explored, strict=True):
            with noted(each):
                self._judge(mix, each)

    def _judge(self, mix: Mix, explored: Explored) -> None:
        explored.orders = mix.orders
        explored.wrong += [f"{offence.subject}: {offence.detail}" for offence in judge(self._explorer, mix.orders)]
        left = [operation for operation in mix.operations if operation.outcome == "indeterminate"]
        explored.wrong += [f"{each.kind} {each.subject} has no answer to the end: {each.error}" for each in left]

    def verdicts(self, say: Callable[[str], None]) -> list[Verdict]:
        """The whole check, over everything that this stage has seen."""
        say("Checking everything.")
        recover(self._explorer.stage, self._explorer.history, SETTLE_SECONDS)
        settle(self._explorer.stage, SETTLE_SECONDS, say=say)
        return check(self._explorer.stage, read(self._explorer.history.path))


@contextmanager
def noted(explored: Explored) -> Iterator[None]:
    """An error is wrong with this entry; the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        explored.wrong.append("".join(format_exception_only(error)).strip())


def append(report: Path, explored: Explored) -> None:
    with report.open("a") as file:
        file.write(json.dumps({**asdict(explored), "good": explored.is_good}) + "\n")


def explored_before(report: Path) -> dict[Entry, bool]:
    """Entry -> whether it was good when it was explored last. A line that was not written to its end is left out."""
    if not report.exists():
        return {}
    return {Entry(**line["entry"]): bool(line["good"]) for line in read_whole_lines(report)}
