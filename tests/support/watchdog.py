"""`python -m tests.support.watchdog DIRECTORY`: when its input ends, it ends all that names the directory."""

import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

PATIENCE_SECONDS = 5


def processes_of(directory: Path) -> list[psutil.Process]:
    """All but this one whose command, environment or working directory names it."""
    this = psutil.Process().pid
    return [process for process in psutil.process_iter() if process.pid != this and names(process, str(directory))]


def names(process: psutil.Process, directory: str) -> bool:
    with suppress(psutil.Error, OSError):
        if process.cwd().startswith(directory) or any(directory in part for part in process.cmdline()):
            return True
    with suppress(psutil.Error, OSError):
        return any(directory in value for value in process.environ().values())
    return False


def end_all(directory: Path) -> None:
    started = time.monotonic()
    while left := processes_of(directory):
        for process in left:
            end(process, gently=time.monotonic() - started < PATIENCE_SECONDS)
        psutil.wait_procs(left, timeout=0.2)


def end(process: psutil.Process, gently: bool) -> None:
    """SIGQUIT lets a Postgres free its shared memory."""
    with suppress(psutil.Error):
        process.send_signal(signal.SIGQUIT if gently and process.name() == "postgres" else signal.SIGKILL)


if __name__ == "__main__":
    sys.stdin.read()
    end_all(Path(sys.argv[1]))
    shutil.rmtree(sys.argv[1], ignore_errors=True)
