"""The progress of a rebuild on stderr: a line that changes in a terminal, else a line for each step and every 5 s."""

import sys
import time

import click

from ordersaga.cli.live_line import CLEAR, PRINT_INTERVAL_SECONDS
from ordersaga.readside.rebuild.progress import STEPS, RebuildProgress


class RebuildDisplay:
    """Call `show` after every change."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()
        self._step = ""

    def show(self, progress: RebuildProgress) -> None:
        if progress.step != self._step:
            self._begin(progress)
        elif progress.step == "derive" and (
            self._is_terminal or time.monotonic() - self._said > PRINT_INTERVAL_SECONDS
        ):
            self._say(self._derived(progress))
        if progress.done >= progress.total and self._is_terminal:
            click.echo(f"{CLEAR}{heading(progress)} done", err=True)

    def _begin(self, progress: RebuildProgress) -> None:
        self._step = progress.step
        self._say(heading(progress))

    def _derived(self, progress: RebuildProgress) -> str:
        passed = time.monotonic() - self._began
        left = passed * (progress.total - progress.done) / max(progress.done, 1)
        share = 100 * progress.done / max(progress.total, 1)
        rate = f"{progress.events:,} events, {progress.events / max(passed, 0.001):,.0f}/s"
        return f"{heading(progress)} {share:.0f} %: {rate}, {left:.0f} s left"

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        click.echo(CLEAR + text if self._is_terminal else text, nl=not self._is_terminal, err=True)


def heading(progress: RebuildProgress) -> str:
    return f"{STEPS.index(progress.step) + 1}/{len(STEPS)} {progress.step}"
