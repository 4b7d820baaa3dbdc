"""Copies: turns the outcomes of copies, which a message has one of for each exchange, into those of messages."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from ordersaga.relay.confirms import Outcome, Refusal


class Copies:
    """The numbers of copies of the messages in flight, oldest first; without any, outcomes stay as they are."""

    def __init__(self) -> None:
        self._counts: deque[int] = deque()
        self._settled = 0
        """Copies of the first message that are settled."""
        self._refusal: Refusal | None = None
        """Of the first of these that was refused."""

    def __bool__(self) -> bool:
        return bool(self._counts)

    def sent(self, counts: Iterable[int]) -> None:
        """Each message has one copy at least."""
        self._counts.extend(counts)

    def clear(self) -> None:
        self._counts.clear()
        self._settled, self._refusal = 0, None

    def of_messages(self, outcome: Outcome) -> Outcome:
        """The outcome of messages: one is settled when all of its copies are, and refused when one of them is."""
        if not self._counts:
            return outcome
        refused = {each.index: each for each in reversed(outcome.refusals)}
        settled, refusals = 0, []
        for index in range(outcome.settled):
            self._refusal = self._refusal or refused.get(index)
            self._settled += 1
            if self._settled == self._counts[0]:
                refusals += [replace(self._refusal, index=settled)] if self._refusal else []
                settled += 1
                self._next()
        return Outcome(settled, tuple(refusals))

    def _next(self) -> None:
        self._counts.popleft()
        self._settled, self._refusal = 0, None
