"""A session of pytest that has collected the tests of a file, and forks for each mutant of it."""

import json
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import count, zip_longest
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.reach import Reach, Tracer, statement_at
from tests.mutation.swap import swap

TEST_LIMIT = 20
"""Seconds for one test, which gets less when it took less without a mutation."""
ALLOWANCE = 20
"""Seconds more than the tests of a mutant take without it."""
POLL = 0.01
MEASURE_LIMIT = 900
BROKEN = "the judge failed"
UNDECIDED = "survives the tests of this process"
APART = "differs when it is imported"
Mutant = dict[str, Any]
Found = dict[str, Any]
Tell = Callable[[Found], NoReturn]
Work = Callable[[Tell], NoReturn]


@dataclass
class Session:
    """A plugin of pytest: instead of all tests once, it runs those of each mutant up to the first that fails.

    A test runs when it reaches the statement that is changed, those first that have killed other mutants, then the
    fast ones. What survives the tests of this process is judged by those that start others, which may reach any
    statement.
    """

    path: Path
    files: Sequence[Path]
    """All that are mutated in this run; what a test reaches in them is measured once."""
    measured: Path
    mutants: Sequence[Mutant]
    tell: Callable[[Mutant, Found], None]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._before = self.path.read_text()
        self._items = {item.nodeid: item for item in session.items}
        self._kills: Counter[str] = Counter()
        self._reached = self._measured()
        survivors = [mutant for mutant in self.mutants if self._survives(mutant, in_this_process=True)]
        for mutant in survivors:
            self._survives(mutant, in_this_process=False)
        return True

    def _measured(self) -> dict[str, Reach]:
        """What each test reaches; the measures of an earlier file are used again."""
        known = json.loads(self.measured.read_text()) if self.measured.exists() else {}
        missing = [item for name, item in self._items.items() if name not in known]
        found = forked(lambda tell: self._measure(missing, tell), MEASURE_LIMIT) if missing else {"reached": {}}
        if "reached" not in found:
            raise pytest.UsageError(f"The tests of {self.path} fail without a mutation: {found}")
        known |= found["reached"]
        self.measured.write_text(json.dumps(known))
        reached = {
            name: Reach({path: set(lines) for path, lines in reach["lines"].items()}, reach["others"], reach["seconds"])
            for name, reach in known.items()
        }
        return with_shared_processes(reached)

    def _measure(self, items: Sequence[pytest.Item], tell: Tell) -> NoReturn:
        tracer = Tracer(map(str, self.files))
        reached: dict[str, Any] = {}
        for item, next_item in pairs(items):
            began, reach = time.monotonic(), Reach()
            with nullcontext() if is_simulated(item.nodeid) else tracer.of(reach):
                failure = failure_of(item, next_item)
            if failure:
                tell({"by": item.nodeid, "said": failure})
            reach.seconds = time.monotonic() - began
            lines = {path: sorted(lines) for path, lines in reach.lines.items()}
            reached[item.nodeid] = {"lines": lines, "others": reach.others, "seconds": reach.seconds}
        tell({"reached": reached})

    def _survives(self, mutant: Mutant, in_this_process: bool) -> bool:
        """Judge it. Returns whether the others are to judge it too, or tells what was found."""
        items = [item for item in self._items_for(mutant["line"]) if in_this_process is not self._others(item)]
        found = self._judge(mutant, items)
        if found["outcome"] == "survived" and in_this_process and any(map(self._others, self._items.values())):
            self.tell(mutant, {**found, "outcome": UNDECIDED})
            return True
        self.tell(mutant, found)
        return False

    def _others(self, item: pytest.Item) -> bool:
        return self._reached[item.nodeid].others

    def _judge(self, mutant: Mutant, items: Sequence[pytest.Item]) -> Found:
        limit = ALLOWANCE + sum(self._reached[item.nodeid].seconds for item in items)
        began = time.monotonic()
        times = self.path.stat()
        self.path.write_text(mutant["text"])
        try:
            found = forked(lambda tell: self._try(mutant["text"], items, tell), limit)
        finally:
            self.path.write_text(self._before)
            os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))
        if found["outcome"] == BROKEN:
            raise pytest.UsageError(f"{mutant['file']}:{mutant['line']} is not judged: {found['said']}")
        if found["outcome"] == "killed":
            self._kills[found["by"]] += 1
        return {**found, "seconds": round(time.monotonic() - began, 2), "tests": len(items)}

    def _items_for(self, line: int) -> list[pytest.Item]:
        """Those that reach the statement, or may; all, when none does."""
        statement = statement_at(self._before, line)
        reached = {name: self._reached[name] for name in self._items}
        reaching = [
            name
            for name, reach in reached.items()
            if reach.others or is_simulated(name) or not reach.lines.get(str(self.path), set()).isdisjoint(statement)
        ]
        names = sorted(reaching or reached, key=lambda name: (-self._kills[name], reached[name].seconds))
        return [self._items[name] for name in names]

    def _try(self, text: str, items: Sequence[pytest.Item], tell: Tell) -> NoReturn:
        if not swap(str(self.path), self._before, text):
            tell({"outcome": APART})
        for item in items:
            item.add_marker(pytest.mark.timeout(min(TEST_LIMIT, 5 + 5 * self._reached[item.nodeid].seconds)))
        for item, next_item in pairs(items):
            if failure := failure_of(item, next_item):
                endless = "Timeout (>" in failure
                with suppress(BaseException):
                    item.session._setupstate.teardown_exact(None)
                tell({"outcome": "timed out" if endless else "killed", "by": item.nodeid, "said": failure[-1000:]})
        tell({"outcome": "survived", "by": ""})


def with_shared_processes(reached: dict[str, Reach]) -> dict[str, Reach]:
    """A process that a fixture has started for one test may serve every test of its file."""
    files = {name.partition("::")[0] for name, reach in reached.items() if reach.others}
    return {name: replace(reach, others=name.partition("::")[0] in files) for name, reach in reached.items()}


def is_simulated(name: str) -> bool:
    """Whether it runs schedules: tracing them would take minutes, and other schedules reach other lines."""
    return name.startswith("tests/mutation/simulated.py")


def pairs(items: Sequence[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    """Each with the one that follows it, whose fixtures are kept."""
    return zip_longest(items, items[1:])


def failure_of(item: pytest.Item, next_item: pytest.Item | None) -> str:
    """What is wrong, or nothing."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=next_item)
    return next((str(report.longrepr) for report in reports if report.failed), "")


def forked(work: Work, limit: float) -> Found:
    """What the work tells, in a fork that is a group of processes of its own, which ends with it."""
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory, "told")
        pid = os.fork()
        if not pid:
            _become(work, told, directory)
        ended = _wait(pid, time.monotonic() + limit)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not ended:
            os.waitpid(pid, 0)
        return dict(json.loads(told.read_text())) if told.exists() else {"outcome": "timed out", "by": ""}


def _wait(pid: int, end: float) -> bool:
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(POLL)
    return False


def _become(work: Work, told: Path, directory: str) -> NoReturn:
    from tests.support import databases

    def tell(found: Found) -> NoReturn:
        part = told.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.replace(told)
        os._exit(0)

    try:
        os.setsid()
        databases.numbers = count(1000 * os.getpid())
        tempfile.tempdir = os.environ["TMPDIR"] = directory
        work(tell)
    except BaseException:  # noqa: BLE001 - nothing of the child may run on in the parent's name
        tell({"outcome": BROKEN, "by": "", "said": traceback.format_exc()[-1000:]})
    finally:
        os._exit(99)
