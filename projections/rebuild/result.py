"""What came of a rebuild."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Result:
    """Its figures; findings are told one by one as they are made."""

    began_at: datetime
    view: str | None
    dry_run: bool
    events: int = 0
    messages: int = 0
    findings: int = 0
    left_out: int = 0
    """Messages of the old log that no stored event announces: they are in the schema `replaced` alone."""
    recovered: int = 0
    """Messages that the stores had and the log had not."""
    seconds: float = 0.0
