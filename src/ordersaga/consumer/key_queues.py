"""Messages that wait for outside steps: one queue a key, so that a slow answer holds up no other key."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from ordersaga.inbox.delivery import Broken, Received
from ordersaga.inbox.operation import Step
from ordersaga.inbox.outside import OutsideSteps


class KeyQueues:
    """The first message of a queue is at its outside step; later messages of its key wait behind it."""

    def __init__(self, outside: OutsideSteps, wake: Callable[[], None]) -> None:
        """`wake` is called in another thread when an outside step ends."""
        self.outside = outside
        self.wake = wake
        self._queues: dict[str, deque[Received | Broken]] = {}
        self._running: dict[str, Step] = {}
        self._ended: deque[tuple[str, Future[Any]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._running)

    @property
    def has_completed(self) -> bool:
        """Whether `completed` returns something."""
        return bool(self._ended)

    def add(self, messages: Iterable[Received | Broken]) -> Iterator[Received | Broken]:
        """Yield the messages that may be handled now; queue the others."""
        for message in messages:
            queue = self._queues.get(message.key) if message.key is not None else None
            if queue is not None:
                queue.append(message)
                self._tell_first(queue, message)
            elif message.key is not None and self.outside.needed(message):
                self._queues[message.key] = deque([message])
            else:
                yield message

    def _tell_first(self, queue: deque[Received | Broken], behind: Received | Broken) -> None:
        """What came behind the first may spare it its call, if it waits for one."""
        first = queue[0]
        if isinstance(first, Received) and isinstance(behind, Received):
            first.behind.append(behind.contract)
            if step := self._running.get(first.key):
                self.outside.reconsider(step)

    def start(self) -> None:
        """Start the outside step of each first message; call this once all messages returned before are committed."""
        for key in self._queues.keys() - self._running.keys():
            first = self._queues[key][0]
            assert isinstance(first, Received)
            future = self._running[key] = self.outside.start(first, fresh=True)
            future.add_done_callback(partial(self._end, key))

    def _end(self, key: str, future: "Future[Any]") -> None:
        self._ended.append((key, future))
        self.wake()

    def completed(self) -> Iterator[Received | Broken]:
        """Messages whose outside step has ended, each with the messages behind it that need none."""
        while self._ended:
            key, future = self._ended.popleft()
            if self._running.get(key) is not future:
                continue
            del self._running[key]
            queue = self._queues[key]
            yield with_answer(queue.popleft(), future)
            while queue and not self.outside.needed(queue[0]):
                yield queue.popleft()
            if queue:
                self._tell_of_followers(queue)
            else:
                del self._queues[key]

    def _tell_of_followers(self, queue: deque[Received | Broken]) -> None:
        first, *behind = queue
        assert isinstance(first, Received)
        first.behind = [message.contract for message in behind if isinstance(message, Received)]

    def clear(self) -> None:
        """Cancel the steps that have not begun, wait for the others, and drop everything: the broker delivers these
        messages again."""
        wait([future for future in self._running.values() if not future.cancel()])
        self._queues.clear()
        self._running.clear()


def with_answer(message: Received | Broken, future: "Future[Any]") -> Received | Broken:
    """The message with what its outside step returned or raised."""
    assert isinstance(message, Received)
    error = future.exception()
    if error is None:
        message.answer = future.result()
    elif isinstance(error, Exception):
        message.failure = error
    else:
        raise error
    return message
