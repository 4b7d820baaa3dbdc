"""What reconcile says: one finding names one message or event, the place, and what is wrong there."""

from dataclasses import dataclass
from uuid import UUID

KINDS = ("missing", "unexpected", "duplicated", "altered", "parked", "undeliverable")


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is one of KINDS; `message_id` is null where an event is concerned that announces nothing known."""

    kind: str
    place: str
    """Database and table."""
    detail: str
    message_id: UUID | None = None
    contract: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        message = " ".join(str(part) for part in (self.contract, self.message_id) if part)
        about = f"{message} of {self.key}" if message and self.key else message
        return ": ".join(part for part in (f"{self.kind} in {self.place}", about, self.detail) if part)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A finding that may heal by itself: what the group has not received yet, or holds parked."""

    group: str
    finding: Finding
