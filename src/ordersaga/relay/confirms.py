"""The confirms of one channel, reported in the order in which the messages were sent."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ordersaga.envelope.message import Message


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that the broker refused."""

    index: int
    """Of the message among the settled ones of the outcome."""
    message: Message
    kind: str
    """`nacked` or `returned`."""
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of messages since the last outcome."""

    settled: int
    """Number of the oldest messages in flight that are now confirmed or refused."""
    refusals: tuple[Refusal, ...]


class Confirms:
    """Publisher confirms may come in any order and for many at once; delivery tags count from 1."""

    def __init__(self) -> None:
        self._sent = 0
        self._settled = 0
        self._reported = 0
        self._unsettled: deque[Message] = deque()
        self._ahead: set[int] = set()
        """Settled tags after one that is not settled."""
        self._reasons: dict[int, tuple[str, str]] = {}
        self._refusals: list[Refusal] = []

    @property
    def in_flight(self) -> int:
        """Messages from the oldest that is not settled."""
        return self._sent - self._settled

    @property
    def unconfirmed(self) -> list[Message]:
        """The messages in flight of which the broker has said nothing; later ones may be confirmed."""
        return [message for tag, message in enumerate(self._unsettled, self._settled + 1) if tag not in self._ahead]

    @property
    def refused(self) -> bool:
        """Whether the next outcome names a refusal."""
        return bool(self._refusals)

    def sent(self, messages: Sequence[Message]) -> None:
        self._sent += len(messages)
        self._unsettled.extend(messages)

    def returned(self, message_id: str, reason: str) -> None:
        """The broker returns an unroutable message before it acks it."""
        id_ = UUID(message_id)
        for tag, message in enumerate(self._unsettled, self._settled + 1):
            if message.id == id_ and tag not in self._reasons:
                self._reasons[tag] = ("returned", reason)
                return

    def acked(self, tag: int, multiple: bool) -> None:
        """The broker has stored this message or, with `multiple`, every unsettled one up to it."""
        if tag > self._settled:
            self._ahead.update(range(self._settled + 1 if multiple else tag, tag + 1))
            self._advance()

    def nacked(self, tag: int, multiple: bool) -> None:
        """The broker has refused this message or, with `multiple`, every unsettled one up to it."""
        if tag > self._settled:
            for refused in range(self._settled + 1 if multiple else tag, tag + 1):
                if refused not in self._ahead:
                    self._reasons.setdefault(refused, ("nacked", "a queue that it is routed to refused it"))
        self.acked(tag, multiple)

    def _advance(self) -> None:
        """Move past every message before which all are settled."""
        while self._settled + 1 in self._ahead:
            self._settled += 1
            self._ahead.remove(self._settled)
            message = self._unsettled.popleft()
            if self._settled in self._reasons:
                self._refusals.append(
                    Refusal(self._settled - self._reported - 1, message, *self._reasons.pop(self._settled))
                )

    def outcome(self) -> Outcome:
        """The results since the last outcome."""
        outcome = Outcome(self._settled - self._reported, tuple(self._refusals))
        self._reported = self._settled
        self._refusals.clear()
        return outcome

    def drop_in_flight(self) -> None:
        """Drop the state of in-flight messages; late confirms are ignored."""
        self._settled = self._reported = self._sent
        for collection in (self._unsettled, self._ahead, self._reasons, self._refusals):
            collection.clear()
