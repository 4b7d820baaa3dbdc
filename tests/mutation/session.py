"""A session of pytest that has collected the tests of a file, and forks for each mutant of it."""

import json
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.reach import Reach, Tracer, statement_at
from tests.mutation.swap import swap

TEST_LIMIT = 20
"""Seconds for one test."""
ALLOWANCE = 20
"""Seconds more than the tests of a mutant take without it."""
POLL = 0.01
APART = "differs when it is imported"
Mutant = dict[str, Any]
Found = dict[str, Any]
Tell = Callable[[Found], NoReturn]
Work = Callable[[Tell], NoReturn]


@dataclass
class Session:
    """A plugin of pytest: instead of all tests once, it runs those of each mutant up to the first that fails.

    A test runs when it reaches the statement that is changed, or starts processes; those that have killed other
    mutants come first, then those in this process, then by their seconds.
    """

    path: Path
    mutants: Sequence[Mutant]
    tell: Callable[[Mutant, Found], None]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._before = self.path.read_text()
        self._items = {item.nodeid: item for item in session.items}
        self._kills: Counter[str] = Counter()
        measured = forked(lambda tell: self._measure(tell), 600)
        if measured.get("outcome") != "passed":
            raise pytest.UsageError(f"The tests of {self.path} fail without a mutation: {measured}")
        self._reached = {
            name: Reach(set(reach["lines"]), reach["others"], reach["seconds"])
            for name, reach in measured["reached"].items()
        }
        for mutant in self.mutants:
            self.tell(mutant, self._judge(mutant))
        return True

    def _measure(self, tell: Tell) -> NoReturn:
        tracer = Tracer(str(self.path))
        reached: dict[str, Reach] = {}
        for item, next_item in pairs(list(self._items.values())):
            began = time.monotonic()
            with tracer.of(reached.setdefault(item.nodeid, Reach())):
                failure = failure_of(item, next_item)
            if failure:
                tell({"outcome": "failed", "by": item.nodeid, "said": failure})
            reached[item.nodeid].seconds = time.monotonic() - began
        tell(
            {
                "outcome": "passed",
                "reached": {name: {**asdict(reach), "lines": list(reach.lines)} for name, reach in reached.items()},
            }
        )

    def _judge(self, mutant: Mutant) -> Found:
        items = self._items_for(mutant["line"])
        limit = ALLOWANCE + 2 * sum(self._reached[item.nodeid].seconds for item in items)
        began = time.monotonic()
        times = self.path.stat()
        self.path.write_text(mutant["text"])
        try:
            found = forked(lambda tell: self._try(mutant["text"], items, tell), limit)
        finally:
            self.path.write_text(self._before)
            os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))
        if found["outcome"] == "killed":
            self._kills[found["by"]] += 1
        return {**found, "seconds": round(time.monotonic() - began, 2), "tests": len(items)}

    def _items_for(self, line: int) -> list[pytest.Item]:
        lines = statement_at(self._before, line)
        reaching = [
            name for name, reach in self._reached.items() if reach.others or not reach.lines.isdisjoint(lines)
        ] or list(self._reached)
        order = {
            name: (-self._kills[name], self._reached[name].others, self._reached[name].seconds) for name in reaching
        }
        return [self._items[name] for name in sorted(reaching, key=order.__getitem__)]

    def _try(self, text: str, items: Sequence[pytest.Item], tell: Tell) -> NoReturn:
        if not swap(str(self.path), self._before, text):
            tell({"outcome": APART})
        for item, next_item in pairs(items):
            if failure := failure_of(item, next_item):
                endless = f"Timeout (>{TEST_LIMIT:.1f}s)" in failure
                with suppress(BaseException):
                    item.session._setupstate.teardown_exact(None)
                tell({"outcome": "timed out" if endless else "killed", "by": item.nodeid, "said": failure[-1000:]})
        tell({"outcome": "survived", "by": ""})


def pairs(items: Sequence[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    """Each with the one that follows it, whose fixtures are kept."""
    return zip(items, [*items[1:], None], strict=True)


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
        tell({"outcome": "killed", "by": "", "said": traceback.format_exc()[-1000:]})
    finally:
        os._exit(99)
