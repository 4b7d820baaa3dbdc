"""`./ordersaga audit export`: the records that a verifier needs, or a table for people."""

from pathlib import Path
from typing import Any, TextIO

import click

from ordersaga.cli.app import Application
from ordersaga.cli.audit.export import new_file, output_option, show_progress, write_all_records
from ordersaga.cli.audit.options import log_option
from ordersaga.cli.live_line import LiveLine, live_line
from projections.audit.text import to_csv, to_json_line
from projections.audit.trail import TrailFilter
from projections.commands.trail_options import asked, filter_options, opened_trail


@click.command()
@click.option("--format", "format_", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@filter_options
@log_option
@output_option
@click.pass_obj
def export(
    application: Application, /, format_: str, log_directory: Path | None, output: Path | None, **filters: Any
) -> None:
    """Write the records of the audit, or a table for people.

    jsonl without filters holds every stored event, leaf and checkpoint: `audit verify --export FILE --key KEY` proves
    it on any machine. With filters, and as csv, it is the trail of `audit trail`, for people.
    """
    wanted = asked(**filters)
    with new_file(output) as file, live_line("exporting") as line:
        if format_ == "jsonl" and wanted == TrailFilter():
            write_all_records(application, log_directory, file, line)
        else:
            write_trail(application, wanted, format_, file, line)


def write_trail(application: Application, wanted: TrailFilter, format_: str, file: TextIO, live: LiveLine) -> None:
    with opened_trail(application, wanted) as trail:
        entries = trail.entries(wanted)
        for number, line in enumerate(to_csv(entries) if format_ == "csv" else map(to_json_line, entries)):
            file.write(line)
            show_progress(live, number)
