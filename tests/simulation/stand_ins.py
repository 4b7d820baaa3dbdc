"""What the product's modules get in place of `time` and `threading`: the clock and the threads of the world."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.simulation.world import current


class Clock:
    """`time`."""

    @staticmethod
    def monotonic() -> float:
        return current().now

    time = monotonic
    perf_counter = monotonic

    @staticmethod
    def time_ns() -> int:
        return int(current().now * 1e9)

    @staticmethod
    def sleep(seconds: float) -> None:
        current().pause(seconds)


class Event:
    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout: float) -> bool:
        return current().wait(timeout, self.is_set)


class Condition:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        return current().wait(timeout, predicate)

    def notify_all(self) -> None:
        pass


class Semaphore:
    def __init__(self, value: int) -> None:
        self._value = value

    def acquire(self, timeout: float) -> bool:
        if not current().wait(timeout, lambda: self._value > 0):
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        self._value += 1


class Threading:
    """`threading`, as far as the relay uses it."""

    Event = Event
    Condition = Condition
    Semaphore = Semaphore


class Silence:
    """A logger that nobody hears: a schedule is told by its steps."""

    def bind(self, **_: Any) -> Self:
        return self

    def _nothing(self, *_: Any, **__: Any) -> None:
        pass

    info = warning = error = debug = exception = _nothing
