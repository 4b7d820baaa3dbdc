"""`./ordersaga chaos run`: faults by a seeded schedule under load, the check, and a report."""

import json
import os
from datetime import datetime
from math import isnan
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from devstack import terminal
from devstack.chaos.faults.catalogue import FAULTS
from devstack.chaos.own_directory import claimed
from devstack.chaos.progress import ChaosProgress
from devstack.chaos.report.report import Report
from devstack.chaos.report.summary import summary
from devstack.chaos.report.write import keep_logs, write
from devstack.chaos.run import ChaosRun, Plan, remove_state
from devstack.chaos.schedule import as_text
from ordersaga.cli.options import json_option
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

LARGEST_SEED = 2**31 - 1
fault_name = click.Choice(sorted(FAULTS))


class Finite(click.FloatRange):
    """Without nan, which is neither below nor above a bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if isnan(found):
            self.fail(f"{value} is no number.", param, ctx)
        return found


class RunCommand(click.Command):
    """Its help ends with the faults."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Faults"):
            formatter.write_dl([(name, kind.does) for name, kind in sorted(FAULTS.items())])


@click.command("run", cls=RunCommand)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help="Decides the schedule and the load (default: any).")
@click.option("--minutes", type=Finite(0.1, 600), default=3, show_default=True, help="How long the load lasts.")
@click.option("--rate", type=Finite(0.1, 500), default=5, show_default=True, help="Orders a second.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Of the report, and of the stack while it runs; empty or new (default: a new one here).",
)
@click.option(
    "--fault", "only", type=fault_name, multiple=True, metavar="NAME", help="Only this fault; may be repeated."
)
@click.option("--without", type=fault_name, multiple=True, metavar="NAME", help="Not this fault (repeatable).")
@click.option("--schedule", "only_schedule", is_flag=True, help="Print the schedule, and run nothing.")
@click.option("--keep", is_flag=True, help="Keep the stack's data, also when every verdict is good.")
@json_option
def run(
    seed: int | None,
    minutes: float,
    rate: float,
    directory: Path | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    only_schedule: bool,
    keep: bool,
    as_json: bool,
) -> None:
    """Harm a stack of its own by a schedule that follows from a seed, under load; heal it, drain it, and check it.

    Faults come singly and in pairs that overlap, with quiet gaps in which recovery can be seen. The same seed, minutes
    and faults make the same schedule. At the end all is healed, what was under way ends, and the checker gives its
    verdicts over the history of every command. The directory then has report.html, report.json, history.jsonl,
    timeline.jsonl, samples.jsonl and memory.jsonl; when a verdict is bad, the logs and the stack's data too.

    Ctrl-C heals everything, drains, checks what there is, and writes the report.

    \b
    Example: ./ordersaga chaos run --seed 7 --minutes 10 --rate 5
             ./ordersaga chaos run --fault kill-postgres --fault stop-rabbitmq
             ./ordersaga chaos run --seed 7 --minutes 10 --schedule

    Exit codes: 0 every verdict is good, 1 one is not or the report cannot be written, 2 cannot run here, 130
    interrupted.
    """
    kinds = {name: kind for name, kind in FAULTS.items() if (not only or name in only) and name not in without}
    if not kinds:
        raise click.UsageError("No fault is left: --without names every one.")
    seed = SystemRandom().randrange(LARGEST_SEED) if seed is None else seed
    directory = directory or Path(f"chaos-{datetime.now():%Y%m%d-%H%M%S}-seed-{seed}")
    plan = Plan(seed, minutes, rate, kinds, directory.resolve())
    if only_schedule:
        scheduled = plan.schedule()
        click.echo(json.dumps([each.as_object() for each in scheduled]) if as_json else as_text(scheduled))
        return
    if not plan.schedule():
        raise click.UsageError(f"No fault fits into {plan.seconds:g} seconds: a run without one proves nothing.")
    raise SystemExit(perform(plan, keep, as_json))


def perform(plan: Plan, keep: bool, as_json: bool) -> int:
    """Returns the exit code. Raises Failed, CannotRunHere."""
    with claimed(plan.directory):
        return perform_in_own_directory(plan, keep, as_json)


def perform_in_own_directory(plan: Plan, keep: bool, as_json: bool) -> int:
    """`perform` in a directory that no other run has."""
    console = terminal.console(stderr=as_json)
    progress = ChaosProgress(console)
    interrupt_by_signal()
    chaos = ChaosRun(plan, console, os.environ, progress.note)
    console.print(f"Seed {plan.seed}: {len(chaos.scheduled)} faults in {plan.seconds:.0f} s. Ctrl-C heals and reports.")
    try:
        chaos.perform(progress.show)
    except KeyboardInterrupt:
        console.print("Interrupted before the load began: everything is stopped, and there is no report.")
        return INTERRUPTED
    finally:
        progress.stop()
        chaos.timeline.close()
    report = chaos.report()
    try:
        keep_report(report, plan.directory, keep)
    finally:
        if as_json:
            click.echo(json.dumps(report.as_object()))
        else:
            console.print(summary(report, plan.directory), markup=False, highlight=False, soft_wrap=True)
    if chaos.interrupted:
        return INTERRUPTED
    return 0 if report.is_good else 1


def keep_report(report: Report, directory: Path, keep: bool) -> None:
    """Raises Failed when it cannot be written; then the stack's data stay."""
    write(report, directory)
    if not report.is_good:
        keep_logs(directory)
    elif not keep:
        remove_state(directory)
