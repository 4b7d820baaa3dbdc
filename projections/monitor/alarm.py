"""Alarm: one thing that is wrong now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Severity = Literal["critical", "warning"]
INFRASTRUCTURE, PARKED, WEBHOOKS = "infrastructure", "parked", "webhooks"
"""Pages where one acts, relative to the dashboard's root."""
AlarmKey = tuple[str, str]
"""Name and subject: at most one alarm of a key stands at a time."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong; what it says of its subject may change while it stands."""

    name: str
    """The kind, such as `process_down`; docs/DASHBOARD.md lists them."""
    subject: str
    """A process, a database, a group or a store; empty where there is only one."""
    severity: Severity
    text: str
    """Says what is wrong and what to do, in one or two sentences."""
    address: str
    """The page where one acts, relative to the dashboard's root."""
    since: datetime | None = None
    """None as long as nobody knows better than the first round that saw it."""

    @property
    def key(self) -> AlarmKey:
        return self.name, self.subject
