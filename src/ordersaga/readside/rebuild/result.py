"""The outcome of a rebuild."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class RebuildResult:
    """The figures of one rebuild; its findings are reported one by one."""

    began_at: datetime
    view: str | None
    """None when it was of all views."""
    dry_run: bool
    events: int = 0
    messages: int = 0
    findings: int = 0
    left_out: int = 0
    """Messages of the old log that no stored event announces: only the schema `replaced` still has them."""
    recovered: int = 0
    """Messages that the stores had and the log lacked."""
    seconds: float = 0.0
