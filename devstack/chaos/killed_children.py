"""Killed children: gunicorn's workers and Postgres' sessions that a signal has ended, as the logs of a stack say."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SAID = re.compile(
    rb"Worker \(pid:(\d+)\) was sent SIG(KILL|SEGV|BUS)!|\(PID (\d+)\) was terminated by signal (9|11|7)\b"
)
"""Not SIGABRT: Postgres sends it to itself when its disk is full."""


class KilledChild(NamedTuple):
    """The parent started another: no process of the stack has ended."""

    parent: str
    pid: int
    number: signal.Signals


def killed_children(logs: Path) -> Iterator[KilledChild]:
    """In a directory of logs; what rotation has deleted is missing."""
    for path in sorted(logs.glob("*.log*")):
        for worker, name, session, number in SAID.findall(path.read_bytes()):
            sent = signal.Signals[f"SIG{name.decode()}"] if name else signal.Signals(int(number))
            yield KilledChild(path.name.partition(".")[0], int(worker or session), sent)
