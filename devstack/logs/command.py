"""`./ordersaga logs`: the entries of the logs of a stack."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, cycle, islice, takewhile
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from devstack.logs.entries import LEVELS, Entry, entries, entries_backwards
from devstack.logs.files import GrowingLog, lines_backwards
from devstack.options import state_option
from devstack.processes import PROCESSES
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.names import OneOf, completions, meant
from ordersaga.cli.options import Moment
from ordersaga.cli.text import printable

LAST = 20
POLL = 0.2
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red")
EARLIEST = datetime.min.replace(tzinfo=UTC)


class ProcessName(click.ParamType[str]):
    """The name of a log; `logs_of` checks that there is one."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        state = ctx.params.get("state")
        found = names_of(state) if isinstance(state, State) else []
        return completions(found or [process.name for process in PROCESSES], incomplete)


@click.command()
@state_option
@click.argument("names", nargs=-1, type=ProcessName(), metavar="[NAME]...")
@click.option("-f", "--follow", is_flag=True, help="Also show new entries, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    help=f"The last N entries of each log.  [default: {LAST}; with --since all]",
)
@click.option("--since", type=Moment(), help="Only entries at or after this time (ISO 8601, or an age such as 5m).")
@click.option("--level", type=OneOf(LEVELS), default=LEVELS[0], help="Only of this level and above.")
@click.option("--grep", "wanted", default="", metavar="TEXT", help="Only with this text, such as a correlation id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: process, time, level, text.")
def logs(
    state: State,
    names: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: datetime | None,
    level: str,
    wanted: str,
    as_json: bool,
) -> None:
    """Show the last entries of the logs of these processes, or of all, sorted by time.

    NAME is a process as `ordersaga status` lists it, or: supervisor, migrate, topology. An entry is a line with the
    lines below that belong to it, such as a traceback. A log of 10 MiB is moved to NAME.log.1; both are read.

    \b
    Example: ./ordersaga logs -f orders-relay orders-worker
             ./ordersaga logs --since 5m --level warning

    Exit codes: 0 shown, 1 no stack has run here, 2 there is no such process.
    """
    paths = logs_of(state, names)
    show = Printer(list(paths), as_json)
    growing = {name: GrowingLog(path) for name, path in paths.items()}

    def is_wanted(entry: Entry) -> bool:
        return entry.is_at_least(level) and wanted.lower() in entry.text.lower()

    count = lines if lines is not None else (None if since else LAST)
    found = [last(name, path, growing[name].place, since, is_wanted, count) for name, path in paths.items()]
    show.all(chain.from_iterable(found))
    try:
        while follow:
            time.sleep(POLL)
            show.all(entry for name, log in growing.items() for entry in added(name, log) if is_wanted(entry))
    except KeyboardInterrupt:
        pass


def names_of(state: State) -> list[str]:
    return sorted(path.stem for path in state.logs.glob("*.log"))


def logs_of(state: State, names: tuple[str, ...]) -> dict[str, Path]:
    """Name -> log. Raises Failed when there is none, UsageError when one that is named is missing."""
    there = names_of(state)
    if not there:
        raise Failed(f"There are no logs in {state.logs}: no stack has run there yet.")
    for name in names:
        if name not in there:
            advice = meant(name, there) or f"There are: {', '.join(there)}."
            raise click.UsageError(f"There is no log of {name!r} in {state.logs}. {advice}")
    return {name: state.log(name) for name in dict.fromkeys(names or there)}


def last(
    name: str, path: Path, end: int, since: datetime | None, is_wanted: Callable[[Entry], bool], count: int | None
) -> list[Entry]:
    """The last entries of one log, in order."""
    earlier = path.with_name(f"{path.name}.1")
    files = chain(lines_backwards(path, end), lines_backwards(earlier) if earlier.exists() else ())
    found: Iterator[Entry] = entries_backwards(name, files)
    if since:
        found = takewhile(lambda entry: entry.time is None or entry.time >= since, found)
    return list(islice(filter(is_wanted, found), count))[::-1]


def added(name: str, log: GrowingLog) -> Iterator[Entry]:
    return entries(name, log.new_lines())


class Printer:
    """Prints entries sorted by time, with the name of the process where there are several."""

    def __init__(self, names: list[str], as_json: bool) -> None:
        self._as_json = as_json
        width = max(map(len, names))
        shown = names if len(names) > 1 else []
        self._prefixes = {
            name: click.style(f"{name:{width}} | ", fg=colour)
            for name, colour in zip(shown, cycle(COLOURS), strict=False)
        }

    def all(self, found: Iterator[Entry]) -> None:
        before: dict[str, datetime] = {}
        timed = []
        for entry in found:
            before[entry.process] = entry.time or before.get(entry.process, EARLIEST)
            timed.append((before[entry.process], entry))
        for _, entry in sorted(timed, key=lambda each: each[0]):
            self._one(entry)

    def _one(self, entry: Entry) -> None:
        if self._as_json:
            click.echo(entry.as_json())
            return
        for line in entry.text.split("\n"):
            click.echo(self._prefixes.get(entry.process, "") + printable(line.expandtabs()))
