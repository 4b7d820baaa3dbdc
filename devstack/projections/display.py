"""A rebuild as a person sees it: a bar in a terminal, else lines; then what was found and what came of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console

from ordersaga.readside.rebuild.progress import STEPS, RebuildProgress
from ordersaga.readside.rebuild.result import RebuildResult

SAY_EVERY = 5.0


def sentences(result: RebuildResult) -> Iterator[str]:
    what = result.view or "read side"
    verdict = f"Findings: {result.findings:,}" if result.findings else "No finding"
    rate = result.messages / max(result.seconds, 0.001)
    yield f"{verdict}. {result.messages:,} messages in {result.seconds:.1f} s ({rate:,.0f}/s)."
    if result.dry_run:
        yield f"The {what} was compared and is as it was."
        return
    yield f"The {what} is rebuilt" + (", and what is named above is mended." if result.findings else ".")
    if result.recovered:
        yield f"{result.recovered:,} messages were in the stores alone; they stand behind all others."
    if result.left_out:
        yield f"{result.left_out:,} messages that no stored event announces are left out."
        yield "They are in the schema `replaced`, which the next rebuild clears away."


@contextmanager
def shown(console: Console) -> Iterator[RebuildProgress]:
    """On stderr, so that stdout stays the answer."""
    if not console.is_terminal:
        yield RebuildProgress(show=Lines(console).show)
        return
    columns = (
        *(bars.TextColumn("{task.description:10}"), bars.BarColumn(), bars.TaskProgressColumn()),
        *(bars.TextColumn("{task.fields[said]}"), bars.TimeRemainingColumn()),
    )
    with bars.Progress(*columns, console=console) as bar:
        yield RebuildProgress(show=Bars(bar).show)


class Bars:
    """One bar for each step."""

    def __init__(self, bar: bars.Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, bars.TaskID] = {}
        self._began = time.monotonic()

    def show(self, progress: RebuildProgress) -> None:
        if progress.step not in self._tasks:
            self._tasks[progress.step] = self._bar.add_task(progress.step, said="")
        text = rate(progress, self._began) if progress.step == "derive" else ""
        task = self._tasks[progress.step]
        self._bar.update(task, completed=progress.done, total=max(progress.total, 1), said=text)
        if progress.done >= progress.total:
            self._bar.update(task, completed=1, total=1)


class Lines:
    """A line at the beginning of each step, and every few seconds while messages are derived."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._said = time.monotonic()
        self._step = ""

    def show(self, progress: RebuildProgress) -> None:
        now = time.monotonic()
        if progress.step != self._step:
            self._step = progress.step
            self._say(f"{STEPS.index(progress.step) + 1}/{len(STEPS)} {progress.step}")
        elif progress.step == "derive" and now - self._said > SAY_EVERY:
            left = (now - self._began) * (progress.total - progress.done) / max(progress.done, 1)
            self._say(f"{rate(progress, self._began)}, {left:.0f} s left")
            self._said = now

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)


def rate(progress: RebuildProgress, began: float) -> str:
    return f"{progress.events:,} events, {progress.events / max(time.monotonic() - began, 0.001):,.0f}/s"
