"""`ordersaga parked retry --first N --rate N | runs | stop`: retry a few messages first, then at a rate."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NamedTuple

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.live_line import LiveLine, live_line
from ordersaga.cli.options import actor_option, group_option, json_option, reason_option
from ordersaga.cli.parked.refused import errors_as_failures
from ordersaga.cli.parked.selection import Chosen, one_or_all
from ordersaga.cli.text import ago, printable, to_json
from ordersaga.parked import retry_runs
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import Operator
from ordersaga.parked.retry_runs import MAX_FIRST, MAX_RATE, MIN_RATE, RetryRun, UnknownRun, find
from ordersaga.service import Service

POLL_SECONDS = 0.3
NO_WORKER_SECONDS = 5.0
"""After so long without a retry the person is told what a run needs."""


class RunAt(NamedTuple):
    """A run and the service whose workers advance it."""

    service: Service
    run: RetryRun

    @property
    def as_json(self) -> dict[str, Any]:
        return {"group": self.service.group, **asdict(self.run)}


class RunLimits(NamedTuple):
    """The limits of a run."""

    first: int
    rate: float
    max_failed: float


first_option = click.option(
    "--first", type=click.IntRange(0, MAX_FIRST), help="In a run: so many at once, before any other.  [default: 5]"
)
rate_option = click.option(
    "--rate", type=click.FloatRange(MIN_RATE, MAX_RATE), help="In a run: messages a second.  [default: 10]"
)
max_failed_option = click.option(
    "--max-failed",
    type=click.IntRange(0, 100),
    default=50,
    show_default=True,
    metavar="PERCENT",
    help="In a run: it stops when more of the first ones fail again.",
)
watch_option = click.option("--watch", is_flag=True, help="In a run: show its progress until it ends.")


def start_all(
    application: Application, chosen: list[Chosen], wanted: ParkedFilter, operator: Operator, limits: RunLimits
) -> list[RunAt]:
    """Start a run at each of these services."""
    started = []
    for service in [found.service for found in chosen]:
        with connected(application, service, service.role) as connection, errors_as_failures():
            run = retry_runs.start(connection, wanted, operator, *limits)
        started.append(RunAt(service, run))
    return started


def watch_all(application: Application, started: list[RunAt]) -> list[RunAt]:
    """Show the progress of runs until all have ended. Returns them as they are then."""
    with live_line("waiting for a worker") as line:
        try:
            return [watch(application, each, line) for each in started]
        except KeyboardInterrupt:
            raise Failed(f"The run goes on. {full_command('parked stop RUN --reason ...')} stops it.") from None


def watch(application: Application, started: RunAt, line: LiveLine) -> RunAt:
    began = time.monotonic()
    with connected(application, started.service, started.service.role) as connection:
        while True:
            now = find(connection, started.run.run)
            if now.ended_at:
                return RunAt(started.service, now)
            is_late = not now.retried and time.monotonic() - began > NO_WORKER_SECONDS
            line.show(progress(now) + (f"; is a worker of {started.service.name} running?" if is_late else ""))
            time.sleep(POLL_SECONDS)


def progress(run: RetryRun) -> str:
    """One line."""
    outcome = f"{run.succeeded} succeeded, {run.failed} failed again, {run.under_way} under way"
    skipped = f", {run.skipped} skipped" if run.skipped else ""
    return (
        f"run {run.run} {run.state}: {run.retried} of {run.total} retried, {outcome}{skipped}, {run.remaining} remain"
    )


def report(runs: Iterable[RunAt], as_json: bool) -> None:
    """Print runs; why one stopped is in its line."""
    if as_json:
        click.echo(to_json({"runs": [each.as_json for each in runs]}))
        return
    for service, run in runs:
        what = f"failure {run.failure}" if run.failure else "what failed"
        why = f". {run.ended_by or 'By itself'}: {run.end_reason}" if run.end_reason else ""
        click.echo(printable(f"{service.group}: {progress(run)} ({what}, {ago(run.started_at)}){why}"))


@click.command("runs")
@group_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest of each group.")
@json_option
@click.pass_obj
def runs(application: Application, group: Service | None, limit: int, as_json: bool) -> None:
    """List runs of retries and how far they are, the newest first."""
    found: list[RunAt] = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            found += [RunAt(service, run) for run in retry_runs.page(connection, limit)]
    report(sorted(found, key=lambda each: each.run.started_at, reverse=True), as_json)
    if not found and not as_json:
        click.echo("There was no run of retries.")


@click.command("stop")
@group_option
@click.argument("run", type=click.IntRange(min=1))
@actor_option
@reason_option
@json_option
@click.pass_obj
def stop(application: Application, group: Service | None, run: int, actor: str, reason: str, as_json: bool) -> None:
    """Stop a run of retries: it retries no further message. One that has ended stays as it is.

    Each group numbers its runs: --group says which is meant when several have one of this number.
    """
    service = only_service(application, one_or_all(application, group), run)
    with connected(application, service, service.role) as connection:
        stopped = retry_runs.stop(connection, run, Operator(actor, reason))
    report([RunAt(service, stopped)], as_json)


def only_service(application: Application, services: list[Service], run: int) -> Service:
    """The service that has the run; of several, the only one where it has not ended. Raises Failed."""
    found: list[RunAt] = []
    for service in services:
        with connected(application, service, service.role) as connection:
            try:
                found.append(RunAt(service, find(connection, run)))
            except UnknownRun:
                continue
    if not found:
        raise Failed(f"There is no run {run}. {full_command('parked runs')} lists them.")
    going_on = [each for each in found if each.run.ended_at is None] or found
    if len(going_on) > 1:
        names = " and ".join(service.group for service, _ in going_on)
        raise Failed(f"{names} have a run {run} each: say which with --group.")
    return going_on[0].service
