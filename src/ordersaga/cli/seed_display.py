"""The progress of a seeding on stderr, and its result in sentences."""

import sys
import time
from collections.abc import Iterator

import click

from ordersaga.cli.live_line import CLEAR, PRINT_INTERVAL_SECONDS
from ordersaga.seeding.progress import SeedingProgress, SeedingResult

STEPS = {
    "declare": "declaring the queues of the group, bound to its own exchange alone",
    "count": "counting",
    "publish": "publishing history",
    "bind": "publishing the rest while the relays are paused",
}


class SeedingDisplay:
    """A line that changes in a terminal, else a line for each step and every 5 s. Call `show` after every change."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()
        self._step = ""

    def show(self, progress: SeedingProgress) -> None:
        is_new = progress.step != self._step
        if is_new or self._is_terminal or time.monotonic() - self._said > PRINT_INTERVAL_SECONDS:
            self._step = progress.step
            self._say(STEPS[progress.step] if is_new else self._text(progress))

    def clear(self) -> None:
        if self._is_terminal:
            click.echo(CLEAR, nl=False, err=True)

    def _text(self, progress: SeedingProgress) -> str:
        passed = time.monotonic() - self._began
        left = passed * (progress.total - progress.done) / max(progress.done, 1)
        share = 100 * progress.done / max(progress.total, 1)
        done = f"{STEPS[progress.step]} {share:.0f} %: {progress.events:,} events read, {progress.messages:,} messages"
        rate = f"{progress.messages / max(passed, 0.001):,.0f}/s, {left:.0f} s left"
        waiting = f"; waiting for the workers, {progress.ready:,} messages are ready" if progress.ready else ""
        return f"{done}, {rate}{waiting}"

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        click.echo(CLEAR + text if self._is_terminal else text, nl=not self._is_terminal, err=True)


def lines(result: SeedingResult) -> Iterator[str]:
    """What a seeding or a dry run has done, for a person."""
    yield from (f"{name:40}{number:>12,}" for name, number in sorted(result.by_contract.items()))
    what = "would get" if result.dry_run else "has"
    span = f", of {result.oldest:%Y-%m-%d %H:%M:%S} to {result.newest:%Y-%m-%d %H:%M:%S} UTC" if result.oldest else ""
    yield f"{result.group} {what} {result.messages:,} messages{span}."
    if result.without_events:
        named = ", ".join(result.without_events)
        yield f"No event announces {named}: only what the outboxes still have of it was found."
    if result.without_source:
        yield f"No service of the application announces {', '.join(result.without_source)}."
    if not result.dry_run:
        rate = result.messages / max(result.seconds, 0.001)
        yield f"{result.seconds:.1f} s ({rate:,.0f}/s); the relays were paused for {result.paused_seconds:.2f} s."
        yield f"{result.group} receives new messages from here on."
