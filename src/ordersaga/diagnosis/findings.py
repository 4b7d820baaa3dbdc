"""What questions answer: a finding, and what could not be seen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ordersaga.diagnosis.party import Party

Severity = Literal["critical", "warning"]
"""`critical`: something stands still, or messages can be lost. `warning`: it will, or it is slower than it must be."""

PLACES = ", "
"""Between the places of a finding that several have."""


@dataclass(frozen=True, slots=True)
class DiagnosisFinding:
    """One thing that is wrong."""

    severity: Severity
    kind: str
    """A few words, the same for every finding of the kind."""
    place: str
    """The database of a service, or a server."""
    what: str
    """A sentence without its full stop."""
    remedy: str
    """What to do: a sentence, a command or a statement of SQL."""
    since: datetime | None = None
    who: Party | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that the account could not see, or that was not asked."""

    place: str
    what: str
    remedy: str
