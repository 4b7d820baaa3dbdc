"""What happens by itself when time is up."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that happens by itself unless the saga has ended by then; for `Transaction.set_deadline`.

    The worker runs what `reactions.to_deadline(name)` has registered, once; that looks whether there is still
    something to do.
    """

    name: str
    aggregate_id: UUID
    after: timedelta
    """From the database's now; a worker that was away does it late."""
