"""What each test reaches in the files that are mutated: lines in this process, and whether it starts others."""

import ast
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

STARTS = ("subprocess.Popen", "os.fork", "os.posix_spawn")
"""Events of Python's audit: what a process of its own reaches, nobody here sees."""


@dataclass
class Reach:
    """`lines` in this process, by file; with `others`, a process that it has started may reach any."""

    lines: dict[str, set[int]] = field(default_factory=dict)
    others: bool = False
    seconds: float = 0.0


class Tracer:
    """Writes down what is reached in these files; it is of one process, for its whole life."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._reach = Reach()
        sys.addaudithook(self._audit)

    @contextmanager
    def of(self, reach: Reach) -> Iterator[None]:
        self._reach = reach
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename in self._paths else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        self._reach.lines.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
        return self._line

    def _audit(self, event: str, arguments: object) -> None:
        if event in STARTS:
            self._reach.others = True


def statement_at(source: str, line: int) -> range:
    """The lines of the innermost statement there; of one with a body, those before it."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt | ast.ExceptHandler) and node.lineno <= line:
            body = getattr(node, "body", None)
            end = max(body[0].lineno - 1, node.lineno) if body else node.end_lineno or line
            if line <= end:
                found = range(node.lineno, end + 1)
    return found
