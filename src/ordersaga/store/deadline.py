"""What happens by itself when time is up."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that happens by itself unless the saga has ended by then."""

    name: str
    aggregate_id: UUID
    after: timedelta
