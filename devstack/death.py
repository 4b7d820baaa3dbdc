"""Death: the end of a process that was to go on running."""

import subprocess
import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Death:
    name: str
    pid: int
    code: int
    """The exit code; negative: the number of the signal that ended it."""
    at: float
    """When it was seen: Unix time, in seconds."""

    @classmethod
    def of(cls, name: str, process: subprocess.Popen[bytes] | None) -> Self | None:
        """None while the process runs, and before it is launched."""
        code = process.poll() if process else None
        return None if process is None or code is None else cls(name, process.pid, code, time.time())
