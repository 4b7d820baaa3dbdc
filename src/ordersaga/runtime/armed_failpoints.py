"""Armed failpoints: read from a file, which may change at any time; each acts once, in one process of all."""

import json
import logging
import os
import re
import signal
import stat
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ordersaga.runtime.failpoints import POINTS, VARIABLE, FailpointReached
from ordersaga.runtime.settings import MissingSetting

log = logging.getLogger("ordersaga.failpoints")
"""Of the standard library: a command without log lines of its own has these on stderr."""

Action = Literal["kill", "exception", "stall"]
STALL_SECONDS = 5.0
LINE = re.compile(
    r"(?P<name>[\w.-]+)=(?P<action>kill|exception|stall)(?::(?P<seconds>\d+(?:\.\d+)?))?(?:@(?P<passage>[1-9]\d*))?"
)
SYNTAX = "NAME=ACTION[:SECONDS][@PASSAGE], where ACTION is kill, exception or stall"


@dataclass(frozen=True)
class Armed:
    """What happens at one failpoint, at this passage of it; the first is 1."""

    name: str
    action: Action
    passage: int = 1
    seconds: float = STALL_SECONDS
    """Of a stall."""

    def __str__(self) -> str:
        seconds = f":{self.seconds:g}" if self.action == "stall" else ""
        return f"{self.name}={self.action}{seconds}@{self.passage}"


def parsed(text: str) -> dict[str, Armed]:
    """The failpoints that a file arms, one a line; `#` begins a comment. Raises ValueError."""
    lines = [stripped for line in text.splitlines() if (stripped := line.partition("#")[0].strip())]
    return {each.name: each for each in map(parsed_line, lines)}


def parsed_line(line: str) -> Armed:
    found = LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} is not {SYNTAX}")
    if found["name"] not in POINTS:
        raise ValueError(f"there is no failpoint {found['name']}")
    seconds = float(found["seconds"] or STALL_SECONDS)
    return Armed(found["name"], cast(Action, found["action"]), int(found["passage"] or 1), seconds)


def mark_of(file: Path, name: str) -> Path:
    """The file that appears beside the armed ones when a failpoint has acted; while it is there, it acts no more."""
    return file.with_name(f"{file.name}.{name}.reached")


class ArmedFailpoints:
    """The failpoints of this process. It looks at the file at each passage, so that a test arms a running process."""

    def __init__(self, file: Path) -> None:
        """Raises MissingSetting: the file names no failpoint, or others may write it."""
        self._file = file
        self._lock = threading.Lock()
        self._version: tuple[int, ...] = ()
        self._passages: dict[str, int] = {}
        self._armed: Mapping[str, Armed] = {}
        try:
            self._look()
        except (ValueError, OSError) as error:
            raise MissingSetting(f"{VARIABLE} names {file}: {error}.") from None
        log.error("%s", self.warning)

    @property
    def warning(self) -> str:
        """What a person should know of this process."""
        armed = ", ".join(map(str, self._armed.values())) or "nothing"
        return (
            f"Failpoints are on, for tests: whoever writes {self._file} makes this process die, fail or stall. "
            f"Armed: {armed}. Unset {VARIABLE} in production"
        )

    def reach(self, name: str) -> None:
        """Act if this passage is the one. Raises FailpointReached if it is armed with `exception`."""
        with self._lock:
            self._look_again()
            self._passages[name] = passage = self._passages.get(name, 0) + 1
            armed = self._armed.get(name)
            if armed is None or passage != armed.passage or not self._claim(name):
                return
        act(armed)

    def _look_again(self) -> None:
        try:
            self._look()
        except (ValueError, OSError) as error:
            self._armed = {}
            log.error("%s names %s, which arms nothing: %s", VARIABLE, self._file, error)

    def _look(self) -> None:
        """Read the file if it has changed. Raises ValueError, OSError."""
        found = None
        with suppress(FileNotFoundError):
            found = self._file.stat()
        version = version_of(found) if found else ()
        if version == self._version:
            return
        self._version, self._armed, self._passages = version, {}, {}
        if found:
            # Another file may lie there by now; a FIFO is not waited for.
            with os.fdopen(os.open(self._file, os.O_RDONLY | os.O_NONBLOCK)) as stream:
                found = os.fstat(stream.fileno())
                require_private(found)
                self._version, self._armed = version_of(found), parsed(stream.read())

    def _claim(self, name: str) -> bool:
        """Whether no process has acted at this failpoint: it acts once, also when its process is started again."""
        with suppress(FileExistsError):
            mark = os.open(mark_of(self._file, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(mark, "w") as stream:
                json.dump({"pid": os.getpid(), "thread": threading.current_thread().name, "at": time.time()}, stream)
            return True
        return False


def version_of(found: os.stat_result) -> tuple[int, ...]:
    """Another one for each content of the file."""
    return found.st_mtime_ns, found.st_ino, found.st_size


def require_private(found: os.stat_result) -> None:
    """Raises ValueError when it is no file, or when anybody but the user of this process may write it."""
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it must be a file")
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError("it must belong to the user of this process, and nobody else may write it")


def act(armed: Armed) -> None:
    """Die, raise or wait, with all locks, transactions and messages that the thread holds."""
    log.warning("failpoint %s acts: %s", armed.name, armed.action)
    match armed.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exception":
            raise FailpointReached(armed.name)
        case "stall":
            time.sleep(armed.seconds)
