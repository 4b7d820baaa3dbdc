"""`./ordersaga chaos explore`."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from devstack import terminal
from devstack.chaos.explorer.exploration import REPORT, Exploration, Explored, explored_before
from devstack.chaos.explorer.places import PLACES
from devstack.chaos.explorer.product import ACTIONS, Entry, chosen, product
from devstack.chaos.explorer.stage import MOST_AT_ONCE, explorer_stage
from devstack.chaos.own_directory import make
from devstack.chaos.rendering import as_objects, as_text
from devstack.chaos.verdict import Verdict
from ordersaga.cli.options import json_option
from ordersaga.runtime.failpoints import POINTS
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

VERDICTS = "verdicts.jsonl"
"""In the directory: a line for each time that the verdicts were given."""


class Shard(click.ParamType[tuple[int, int]]):
    """`NUMBER/OF`."""

    name = "shard"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        number, _, of = value.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            self.fail(f"{value!r} is no shard. The first of five is 1/5.", param, ctx)
        return int(number), int(of)


@click.command()
@click.option("--list", "only_list", is_flag=True, help="List the entries with their count, and run nothing.")
@click.option("--point", "points", multiple=True, type=click.Choice(list(POINTS)), metavar="NAME", help="Only these.")
@click.option("--action", "actions", multiple=True, type=click.Choice(ACTIONS), help="Only these.")
@click.option("--every-process", is_flag=True, help="Each entry in every process that passes its failpoint.")
@click.option(
    "--at-once",
    type=click.IntRange(1, MOST_AT_ONCE),
    default=1,
    show_default=True,
    help="Entries under way together, in different processes, each with orders of its own.",
)
@click.option("--shard", type=Shard(), default="1/1", metavar="N/OF", help="A part of the entries, such as 1/5.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="For state, logs, history and report; what is good in its report is not explored again.  [default: a new one]",
)
@json_option
def explore(
    only_list: bool,
    points: tuple[str, ...],
    actions: tuple[str, ...],
    every_process: bool,
    at_once: int,
    shard: tuple[int, int],
    directory: Path | None,
    as_json: bool,
) -> None:
    """Let a process die, fail or stall at every failpoint of the library, one after the other.

    An entry is a failpoint, an action (kill -9, an exception, a stall of 4 s) and a process. Under way are orders that
    are paid, declined, out of stock, cancelled, timed out, refunded in part and parked. Once the process has passed the
    failpoint, everything must settle, and the books of these orders must balance. At the end the checker judges
    everything. An entry whose failpoint was not reached has failed.

    \b
    Example: ./ordersaga chaos explore --point relay.confirmed
             ./ordersaga chaos explore --shard 1/5 --directory /tmp/explored

    Exit codes: 0 every entry and every verdict is good, 1 one is not, 2 cannot run here, 130 interrupted.
    """
    entries = chosen(product(every_process), points, actions, shard)
    if only_list:
        show_list(entries, as_json)
        return
    directory = (directory or Path(tempfile.mkdtemp(prefix="ordersaga-explore-"))).resolve()
    make(directory)
    console = terminal.console(stderr=True, highlight=False, soft_wrap=True)
    before = explored_before(directory / REPORT)
    left = [entry for entry in entries if not before.get(entry)]
    console.print(f"{len(left)} of {len(entries)} entries to explore; the report is {directory / REPORT}.")
    if not left:
        show([], [], as_json)
        raise SystemExit(nothing_left(directory / VERDICTS, console))
    interrupt_by_signal()
    try:
        explored, verdicts = run(left, at_once, directory, console)
    except KeyboardInterrupt:
        console.print(f"Interrupted; everything is stopped. Continue with --directory {directory}.")
        raise SystemExit(INTERRUPTED) from None
    show(explored, verdicts, as_json)
    good = all(each.is_good for each in explored) and all(verdict.is_good for verdict in verdicts)
    raise SystemExit(0 if good else 1)


def run(
    entries: Sequence[Entry], at_once: int, directory: Path, console: Console
) -> tuple[list[Explored], list[Verdict]]:
    number = 0

    def say(explored: Explored) -> None:
        nonlocal number
        number += 1
        style = "green" if explored.is_good else "bold red"
        console.print(f"{number:4}/{len(entries)}  {explored}", style=style, markup=False)

    with explorer_stage(directory, console, os.environ) as stage:
        exploration = Exploration(stage, directory / REPORT)
        explored = exploration.run(entries, say, at_once)
        verdicts = exploration.verdicts(console.print)
    with (directory / VERDICTS).open("a") as file:
        file.write(json.dumps(as_objects(verdicts)) + "\n")
    return explored, verdicts


def nothing_left(verdicts: Path, console: Console) -> int:
    """The exit code when every entry is good: 1 when a verdict over them was not, or none was given."""
    lines = verdicts.read_text().splitlines() if verdicts.exists() else []
    bad = {verdict["name"] for line in lines for verdict in json.loads(line) if not verdict["good"]}
    if lines and not bad:
        console.print("Every entry is explored, and every verdict was good.")
        return 0
    said = f"bad are the verdicts {', '.join(sorted(bad))}" if bad else "no verdict was given"
    console.print(f"Every entry is explored, but {said}. Explore again with another --directory.")
    return 1


def show_list(entries: Sequence[Entry], as_json: bool) -> None:
    if as_json:
        listed = [
            {"point": entry.point, "action": entry.action, "process": entry.process, "what": POINTS[entry.point]}
            for entry in entries
        ]
        click.echo(json.dumps({"count": len(entries), "entries": listed}))
        return
    for entry in entries:
        click.echo(f"{entry.point:28}{entry.action:11}{entry.process:20}{POINTS[entry.point]}")
    found = len({entry.point for entry in entries})
    click.echo(f"{len(entries)} entries: {found} of {len(PLACES)} failpoints, {len(ACTIONS)} actions.")


def show(explored: Sequence[Explored], verdicts: Sequence[Verdict], as_json: bool) -> None:
    bad = [each for each in explored if not each.is_good]
    if as_json:
        found = [{"entry": str(each.entry), "reached": each.reached, "wrong": each.wrong} for each in bad]
        totals = {"explored": len(explored), "good": len(explored) - len(bad), "bad": found}
        click.echo(json.dumps({**totals, "verdicts": as_objects(verdicts)}))
        return
    for each in bad:
        click.echo(f"BAD   {each}")
    click.echo(f"{len(explored) - len(bad)} of {len(explored)} entries are good.")
    if verdicts:
        click.echo(as_text(verdicts))
