"""Messages held back by outside steps: one line a key, so that a slow answer holds up no other key."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from ordersaga.inbox.delivery import Broken, Received
from ordersaga.inbox.outside import OutsideSteps


class Lines:
    """The first of a line is at its outside step; what came later of its key stands behind it."""

    def __init__(self, outside: OutsideSteps, wake: Callable[[], None]) -> None:
        self.outside = outside
        self.wake = wake
        self._lines: dict[str, deque[Received | Broken]] = {}
        self._asked: dict[str, Future[Any]] = {}
        self._answered: deque[tuple[str, Future[Any]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._asked)

    @property
    def has_answers(self) -> bool:
        return bool(self._answered)

    def admit(self, messages: Iterable[Received | Broken]) -> Iterator[Received | Broken]:
        """Those that may be handled now; the others are held."""
        for message in messages:
            line = self._lines.get(message.key) if message.key is not None else None
            if line is not None:
                line.append(message)
            elif message.key is not None and self.outside.needed(message):
                self._lines[message.key] = deque([message])
            else:
                yield message

    def start(self) -> None:
        """Begin the outside steps of those who are first; call it when all that was let go before is committed."""
        for key in self._lines.keys() - self._asked.keys():
            first = self._lines[key][0]
            assert isinstance(first, Received)
            future = self._asked[key] = self.outside.start(first, fresh=True)
            future.add_done_callback(partial(self._answer, key))

    def _answer(self, key: str, future: "Future[Any]") -> None:
        self._answered.append((key, future))
        self.wake()

    def answered(self) -> Iterator[Received | Broken]:
        """Those whose outside step has ended, each with what stands behind it and needs none."""
        while self._answered:
            key, future = self._answered.popleft()
            if self._asked.get(key) is not future:
                continue
            del self._asked[key]
            line = self._lines[key]
            yield with_answer(line.popleft(), future)
            while line and not self.outside.needed(line[0]):
                yield line.popleft()
            if not line:
                del self._lines[key]

    def clear(self) -> None:
        """Forget everything, once no step is under way: the broker will deliver these messages again."""
        wait(self._asked.values())
        self._lines.clear()
        self._asked.clear()


def with_answer(message: Received | Broken, future: "Future[Any]") -> Received | Broken:
    assert isinstance(message, Received)
    error = future.exception()
    if error is None:
        message.answer = future.result()
    elif isinstance(error, Exception):
        message.failure = error
    else:
        raise error
    return message
