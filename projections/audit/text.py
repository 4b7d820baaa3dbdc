"""The trail and old states as text: JSON lines, and CSV that no spreadsheet takes for a formula."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from projections.audit.trail import Entry

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula when a cell begins with it."""


def as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def to_json_line(entry: Entry) -> str:
    return json.dumps(entry.model_dump(), default=as_text) + "\n"


def to_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """The heading, then a line each."""
    yield csv_line(Entry.model_fields)
    for entry in entries:
        yield csv_line(cell(value) for _, value in entry)


def csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def cell(value: object) -> str:
    text = "" if value is None else as_text(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def fields(aggregate: Any) -> dict[str, Any] | None:
    """What an aggregate holds, without the library's own; None of none."""
    if aggregate is None:
        return None
    held = {name: value for name, value in vars(aggregate).items() if not name.startswith("_")}
    plain: dict[str, Any] = json.loads(json.dumps({"version": aggregate.version, **held}, default=as_text))
    return plain
