"""What a rebuild says is wrong with the live tables: one finding names one row."""

from dataclasses import dataclass, field
from typing import Any

KINDS = ("missing", "unexpected", "differs")


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is one of KINDS."""

    kind: str
    table: str
    row: dict[str, Any]
    """Primary key; for messages the contract and the key too."""
    detail: str = ""
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Of a row that differs: column -> (as it is, as it should be)."""

    def __str__(self) -> str:
        row = ", ".join(f"{name} {value}" for name, value in self.row.items())
        wrong = (f"{name} is {short(live)}, should be {short(true)}" for name, (live, true) in self.columns.items())
        return ": ".join(part for part in (f"{self.kind} in {self.table}", row, "; ".join(wrong), self.detail) if part)


def short(value: Any, most: int = 120) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."
