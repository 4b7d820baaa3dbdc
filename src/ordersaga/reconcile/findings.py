"""The findings of reconcile: each names one message or event, a place, and what is wrong there."""

from dataclasses import dataclass
from uuid import UUID

KINDS = ("missing", "unexpected", "duplicated", "altered", "parked", "undeliverable", "unsettled")


@dataclass(frozen=True, slots=True)
class ReconcileFinding:
    """`kind` is one of KINDS; `message_id` is None where an event announces no known message.

    `unsettled` is what a service itself says of its aggregates, see `Service`.
    """

    kind: str
    place: str
    """Service and table."""
    detail: str
    message_id: UUID | None = None
    contract: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        message = " ".join(str(part) for part in (self.contract, self.message_id) if part)
        about = f"{message} of {self.key}" if message and self.key else message
        return ": ".join(part for part in (f"{self.kind} in {self.place}", about, self.detail) if part)


@dataclass(frozen=True, slots=True)
class PendingFinding:
    """A finding that may resolve itself: the service has not received the message yet, or has parked it."""

    receiver: str
    finding: ReconcileFinding
