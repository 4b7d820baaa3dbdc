"""What the broker has said of the messages sent on one channel, told in the order in which they were sent."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ordersaga.envelope.message import Message


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that the broker did not take."""

    index: int
    """Its place among the settled messages of the outcome."""
    message: Message
    kind: str
    """`nacked` or `returned`."""
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the broker has said since it was last asked."""

    settled: int
    """So many messages, in the order they were sent, are each confirmed or refused."""
    refusals: tuple[Refusal, ...]


class Confirms:
    """Publisher confirms may come in any order and for many at once; delivery tags count from 1."""

    def __init__(self) -> None:
        self._sent = 0
        self._settled = 0
        self._told = 0
        self._unsettled: deque[Message] = deque()
        self._ahead: set[int] = set()
        """Tags settled before one that was sent earlier."""
        self._reasons: dict[int, tuple[str, str]] = {}
        self._refusals: list[Refusal] = []

    @property
    def in_flight(self) -> int:
        """Messages sent since the oldest that is not settled."""
        return self._sent - self._settled

    @property
    def refused(self) -> bool:
        """Whether the next outcome names a refusal."""
        return bool(self._refusals)

    def sent(self, messages: Sequence[Message]) -> None:
        self._sent += len(messages)
        self._unsettled.extend(messages)

    def returned(self, message_id: str, reason: str) -> None:
        """An unroutable message comes back before it is acked."""
        id_ = UUID(message_id)
        for tag, message in enumerate(self._unsettled, self._settled + 1):
            if message.id == id_ and tag not in self._reasons:
                self._reasons[tag] = ("returned", reason)
                return

    def acked(self, tag: int, multiple: bool) -> None:
        """The broker has taken this message, or `multiple`: all up to it that it has not spoken of before."""
        if tag > self._settled:
            self._ahead.update(range(self._settled + 1 if multiple else tag, tag + 1))
            self._advance()

    def nacked(self, tag: int, multiple: bool) -> None:
        """The broker has not taken this message, or all up to it that it has not spoken of before."""
        if tag > self._settled:
            for refused in range(self._settled + 1 if multiple else tag, tag + 1):
                if refused not in self._ahead:
                    self._reasons.setdefault(refused, ("nacked", "a queue that it is routed to did not take it"))
        self.acked(tag, multiple)

    def _advance(self) -> None:
        """Move over every message that is settled together with all before it."""
        while self._settled + 1 in self._ahead:
            self._settled += 1
            self._ahead.remove(self._settled)
            message = self._unsettled.popleft()
            if self._settled in self._reasons:
                self._refusals.append(
                    Refusal(self._settled - self._told - 1, message, *self._reasons.pop(self._settled))
                )

    def outcome(self) -> Outcome:
        """What is new since the last outcome."""
        outcome = Outcome(self._settled - self._told, tuple(self._refusals))
        self._told = self._settled
        self._refusals.clear()
        return outcome

    def abandon(self) -> None:
        """Wish to hear no more of what is in flight."""
        self._settled = self._told = self._sent
        for collection in (self._unsettled, self._ahead, self._reasons, self._refusals):
            collection.clear()
