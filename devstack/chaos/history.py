"""History: every command that a client has sent, with its outcome, in a file of JSON lines."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID, uuid5

from devstack.chaos.json_lines import read_whole_lines

Outcome = Literal["ok", "fail", "indeterminate"]

CORRELATIONS = UUID("4f6d2f1e-6a59-5d0c-9d0e-0b1b5f1c7a13")


@dataclass
class Operation:
    """A command from its invocation to its outcome; times are seconds since the start of the history.

    `ok`: acknowledged. `fail`: refused, so it must have no effect. `indeterminate`: no answer, or one that says
    neither; it may have an effect now, later, or never. Until something else is said it is indeterminate.
    """

    number: int
    thread: str
    kind: str
    """The command, such as `place_order`, `cancel`, `refund_part`, `receive_stock`, `correct_stock`."""
    subject: str
    """The idempotency key of the command; the same in every attempt."""
    request: Mapping[str, Any]
    began: float
    ended: float | None = None
    attempts: int = 1
    outcome: Outcome = "indeterminate"
    answer: Mapping[str, Any] = field(default_factory=dict)
    """What was acknowledged, such as `{"order_id": ...}`."""
    error: str = ""
    """Why it was refused, or what the last attempt met."""
    resolved: float | None = None
    """When it was asked for again, after everything had healed."""

    @property
    def correlation_id(self) -> UUID:
        """Sent with every attempt, so that the checker finds its events whatever was answered."""
        return uuid5(CORRELATIONS, self.subject)

    def succeed(self, **answer: Any) -> None:
        self.outcome, self.answer = "ok", answer

    def refuse(self, error: str) -> None:
        self.outcome, self.error = "fail", error


class History:
    """Writes each operation when it has ended, from any thread; `close` writes those that have not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._file = path.open("w")
        self._open: dict[int, Operation] = {}
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def operation(self, kind: str, subject: str, request: Mapping[str, Any]) -> Iterator[Operation]:
        """Records what happens in the block, whatever it raises."""
        with self._lock:
            self._number += 1
            operation = Operation(
                self._number, threading.current_thread().name, kind, subject, request, self._seconds()
            )
            self._open[operation.number] = operation
        try:
            yield operation
        except BaseException as error:
            operation.error = operation.error or repr(error)
            raise
        finally:
            operation.ended = self._seconds()
            self._write(operation)

    def resolve(self, operation: Operation) -> None:
        """Write an operation again that had ended without an answer; the last line of an operation is the true one."""
        operation.resolved = self._seconds()
        self._append(operation)

    def close(self) -> None:
        for operation in list(self._open.values()):
            self._write(operation)
        self._file.close()

    def _seconds(self) -> float:
        return round(time.monotonic() - self.began, 4)

    def _write(self, operation: Operation) -> None:
        if self._open.pop(operation.number, None):
            self._append(operation)

    def _append(self, operation: Operation) -> None:
        with self._lock:
            self._file.write(json.dumps(asdict(operation)) + "\n")
            self._file.flush()


def placed(operations: Iterable[Operation]) -> list[str]:
    """The ids of the orders that were acknowledged."""
    return [each.answer["order_id"] for each in operations if each.kind == "place_order" and each.outcome == "ok"]


def read(path: Path) -> list[Operation]:
    """The operations of a history in the order in which they began.

    A last line that was cut off is left out: what its command has done may then stand without a command.
    """
    found = (Operation(**line) for line in read_whole_lines(path))
    operations = {operation.number: operation for operation in found}
    return [operations[number] for number in sorted(operations)]
