"""Deadline: a reaction that runs when its time has come."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Deadline:
    """A named time of an aggregate, such as the time by which a saga must have ended; for `Transaction.set_deadline`.

    The worker calls the function that `reactions.to_deadline(name)` has registered, once; the function checks whether
    there is still something to do.
    """

    name: str
    aggregate_id: UUID
    after: timedelta
    """From the clock of the database; without a worker the deadline fires late."""
