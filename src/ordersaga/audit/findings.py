"""The findings of `verify`: each names one event, checkpoint or file, and the deviation."""

from dataclasses import dataclass
from uuid import UUID

KINDS = {
    "edited": "the event is not what was sealed",
    "deleted": "a sealed event is gone from inside its stream, or the whole stream is gone",
    "truncated": "sealed events are gone from the end of their stream",
    "inserted": "the event was not there when its time or its transaction says it was",
    "reordered": "the event stands at another place than the one that was sealed",
    "re-stamped": "the event has another time than the one that was sealed",
    "unsealed": "the event is old enough to be sealed and is not",
    "contradicted": "a message announces another event than the store holds",
    "bad signature": "a checkpoint was not signed with the key",
    "altered log": "the leaves are not those that were signed",
    "cut log": "leaves or checkpoints that were signed are gone",
}


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """`kind` is one of KINDS; the fields after `detail` are None where the finding concerns no event."""

    kind: str
    store: str
    detail: str
    stream: UUID | None = None
    version: int | None = None
    topic: str | None = None
    position: int | None = None

    def __str__(self) -> str:
        event = f"{self.topic}, version {self.version} of {self.stream}, position {self.position}: "
        return f"{self.kind} in {self.store}: {event if self.stream else ''}{self.detail}"
