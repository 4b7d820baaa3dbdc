"""The trail and old states as text: JSON lines, and CSV that no spreadsheet takes for a formula."""

import csv
import io
import json
from collections.abc import Iterable, Iterator

from ordersaga.store.history import as_text
from projections.audit.trail import TrailEntry

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is a formula to a spreadsheet."""


def to_json_line(entry: TrailEntry) -> str:
    return json.dumps(entry.model_dump(), default=as_text) + "\n"


def to_csv(entries: Iterable[TrailEntry]) -> Iterator[str]:
    """The heading, then a line for each entry."""
    yield csv_line(TrailEntry.model_fields)
    for entry in entries:
        yield csv_line(cell(value) for _, value in entry)


def csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def cell(value: object) -> str:
    """The text of a cell; an apostrophe before it keeps a spreadsheet from evaluating it."""
    text = "" if value is None else as_text(value)
    return f"'{text}" if text.startswith(FORMULA) else text
