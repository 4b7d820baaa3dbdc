"""`ordersaga audit export`: everything that a verifier needs, or a table for people."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from devstack.audit.options import asked, directory_of, filter_options, log_option, opened_trail
from devstack.audit.stores import records
from devstack.options import environments_of_running, state_option
from devstack.state import State
from ordersaga.audit.records import SealedEvent, UnsealedEvent, to_line
from ordersaga.cli.errors import Failed
from ordersaga.cli.live_line import LiveLine, live_line
from projections.audit.text import to_csv, to_json_line
from projections.audit.trail import Filter

STEP = 1000


@click.command()
@state_option
@click.option("--format", "format_", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@filter_options
@log_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of stdout."
)
def export(state: State, format_: str, log_directory: Path | None, output: Path | None, **filters: Any) -> None:
    """Write what was recorded.

    jsonl without filters holds every stored event, leaf and checkpoint: `audit verify --export FILE --key KEY` proves
    it on any machine. With filters, and as csv, it is the trail of `audit trail`, for people.
    """
    wanted = asked(**filters)
    with written(output) as file, live_line("exporting") as line:
        if format_ == "jsonl" and wanted == Filter():
            everything(state, log_directory, file, line)
        else:
            the_trail(state, wanted, format_, file, line)


def everything(state: State, log_directory: Path | None, file: TextIO, live: LiveLine) -> None:
    number = 0
    for record in records(environments_of_running(state), directory_of(state, log_directory)):
        file.write(to_line(record) + "\n")
        number += isinstance(record, (SealedEvent, UnsealedEvent))
        if number % STEP == 0:
            show(live, number)


def show(live: LiveLine, number: int) -> None:
    live.show(f"exporting: {number:,} events ({live.rate(number)})")


def the_trail(state: State, wanted: Filter, format_: str, file: TextIO, live: LiveLine) -> None:
    with opened_trail(state, wanted) as trail:
        entries = trail.entries(wanted)
        for number, line in enumerate(to_csv(entries) if format_ == "csv" else map(to_json_line, entries)):
            file.write(line)
            if number % STEP == 0:
                show(live, number)


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """A file that is there when it is whole. Raises Failed."""
    if path is None:
        yield sys.stdout
        return
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            yield file
        new.replace(path)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        new.unlink(missing_ok=True)
