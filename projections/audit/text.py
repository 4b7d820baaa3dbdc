"""The trail and old states as text: JSON lines, and CSV that no spreadsheet takes for a formula."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator

from ordersaga.store.history import as_text
from projections.audit.trail import TrailEntry

FORMULA = re.compile(r"(?:^|[;\t\r\n|])(?=[ \u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r])")
"""Where a formula begins for a spreadsheet, also for one that separates cells by a semicolon, a tab or a bar: there the
quotes of a cell do not hold the parts of it together. A comma needs none: the quotes are for it."""


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
    """The text of a cell; an apostrophe before a formula keeps a spreadsheet from evaluating it."""
    return FORMULA.sub(r"\g<0>'", "" if value is None else as_text(value))
