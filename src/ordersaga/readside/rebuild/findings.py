"""The findings of a rebuild: each names one row of a live table that is wrong."""

from dataclasses import dataclass, field
from typing import Any

KINDS = ("missing", "unexpected", "differs")


@dataclass(frozen=True, slots=True)
class RebuildFinding:
    """`kind` is one of KINDS."""

    kind: str
    table: str
    row: dict[str, Any]
    """The primary key; of a message also its contract and key."""
    detail: str = ""
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Column -> (live value, correct value), where a row differs."""

    def __str__(self) -> str:
        row = ", ".join(f"{name} {value}" for name, value in self.row.items())
        wrong = (f"{name} is {short(live)}, should be {short(true)}" for name, (live, true) in self.columns.items())
        return ": ".join(part for part in (f"{self.kind} in {self.table}", row, "; ".join(wrong), self.detail) if part)


def short(value: Any, most: int = 120) -> str:
    """The value as text, cut off after `most` characters."""
    text = "null" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."
