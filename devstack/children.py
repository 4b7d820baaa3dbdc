"""Child processes that die with their parent and are known by pid and start time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from ordersaga.cli.errors import CannotRunHere

WAIT_STEP = 0.02


@dataclass(frozen=True)
class Identity:
    """The pid of a process and its start time (clock ticks since boot), because pids are reused."""

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Raises ProcessLookupError when no such process runs."""
        return cls(pid, _start_time(pid))

    def is_running(self) -> bool:
        try:
            return _start_time(self.pid) == self.start_time
        except ProcessLookupError:
            return False

    def signal(self, number: signal.Signals) -> bool:
        """Send it. Returns False when the process has ended already."""
        if self.is_running():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
                return True
        return False

    def wait(self, seconds: float) -> bool:
        """True when it ended within that time."""
        end = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > end:
                return False
            time.sleep(WAIT_STEP)
        return True


def _start_time(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return int(fields[19])


def setpriv(*options: str, death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """Command prefix under which the kernel signals the process when the thread that started it ends.

    A prefix, not a `preexec_fn`: it costs 1 ms, works beside threads, and is set after a change of user,
    which would clear it.
    """
    program = which("setpriv")
    if program is None:
        raise CannotRunHere("The command `setpriv` is missing. Install the package util-linux (Linux only).")
    return [program, *options, "--pdeathsig", death_signal.name.removeprefix("SIG")]


def plain_environment() -> dict[str, str]:
    """PATH, HOME, LANG and DOCKER_HOST alone: other variables of the caller could change what a server does."""
    kept = {name: os.environ[name] for name in ("HOME", "DOCKER_HOST") if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **kept}


def python() -> list[str]:
    """Command prefix for a Python child; it imports from PYTHONPATH, never from where it happens to start."""
    return [*setpriv(), sys.executable, "-P"]


def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C in the terminal reaches only the parent."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )


def end(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal and wait its number of seconds, then send SIGKILL."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
        process.wait()
