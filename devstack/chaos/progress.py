"""The progress of a chaos run on a terminal: a live table, or a line now and then."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from devstack.chaos.run import ChaosRun
from devstack.chaos.timeline import Moment

LINE_EVERY = 15.0
"""Seconds between two lines where there is no terminal."""


class ChaosProgress:
    """From any thread `note` prints a line, and `show` renews the table below, which `stop` takes away.

    The console must not raise: see `devstack.terminal`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._next_line = 0.0

    def note(self, moment: Moment) -> None:
        what = f"{moment.event} {moment.fault}".strip()
        text = f"{moment.at:7.1f} s  {what}: {moment.text}"
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, run: ChaosRun) -> None:
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=True)
                self._live.start()
            self._live.update(table(run), refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY
            text = "; ".join(f"{name}: {value}" for name, value in rows(run))
            self._console.print(f"{run.timeline.now():7.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)

    def stop(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


def table(run: ChaosRun) -> Table:
    found = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in rows(run):
        found.add_row(name, value)
    return found


def rows(run: ChaosRun) -> list[tuple[str, str]]:
    placed, refused, unanswered = run.counts()
    last = run.samples[-1] if run.samples else None
    under_way = "unknown" if last is None or last.open is None else str(last.open)
    lag = "unknown" if last is None or last.unpublished is None else str(last.unpublished)
    not_ready = ", ".join(run.watch.not_ready) if run.watch else ""
    active = [f"{each.name} ({max(0.0, each.until - run.timeline.now()):.0f} s more)" for each in run.active()]
    return [
        ("time", f"{run.timeline.now():.0f} of {run.plan.seconds:.0f} s"),
        ("harmed now", ", ".join(active) or "nothing"),
        ("orders", f"{placed} acknowledged, {refused} refused, {unanswered} without an answer, {under_way} under way"),
        ("lag", f"{lag} messages to publish"),
        ("not ready", not_ready or "nothing"),
    ]
