"""Deadline: the time at which a reaction runs without a message."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Deadline:
    """A named time of an aggregate, such as the time by which a saga must have ended; see `Transaction.set_deadline`.

    The worker calls the function registered with `reactions.to_deadline(name)` once; the function checks whether it
    still has to act.
    """

    name: str
    aggregate_id: UUID
    after: timedelta
    """From the clock of the database; without a worker the deadline fires late."""
