"""`ordersaga audit export`: the records that a verifier needs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from ordersaga.audit.records import SealedEvent, UnsealedEvent, to_line
from ordersaga.cli.app import Application
from ordersaga.cli.audit.live_records import live_records
from ordersaga.cli.audit.options import log_option
from ordersaga.cli.errors import Failed
from ordersaga.cli.live_line import LiveLine, live_line

STEP = 1000
output_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of stdout."
)


@click.command()
@log_option
@output_option
@click.pass_obj
def export(application: Application, log_directory: Path | None, output: Path | None) -> None:
    """Write every stored event, leaf and checkpoint as JSON lines.

    `audit verify --export FILE --key KEY` proves them on any machine.
    """
    with new_file(output) as file, live_line("exporting") as line:
        write_all_records(application, log_directory, file, line)


def write_all_records(application: Application, log_directory: Path | None, file: TextIO, live: LiveLine) -> None:
    """Raises Failed."""
    number = 0
    for record in live_records(application, log_directory):
        file.write(to_line(record) + "\n")
        number += isinstance(record, (SealedEvent, UnsealedEvent))
        show_progress(live, number)


def show_progress(live: LiveLine, number: int) -> None:
    if number % STEP == 0:
        live.show(f"exporting: {number:,} events ({live.rate(number)})")


@contextmanager
def new_file(path: Path | None) -> Iterator[TextIO]:
    """A file that appears once it is complete; standard output for None. Raises Failed."""
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
