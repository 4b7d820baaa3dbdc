"""`python -m tests.support.process_server`: starts Python processes with the library's imports already done.

Such a process is forked from this one; started by exec, it takes 0.65 s of CPU before it does anything. Reads a line of
JSON for each, and writes its pid.
"""

import ctypes
import gc
import json
import os
import runpy
import sys
import time
from importlib import import_module
from typing import Any

IMPORTED = (
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "ordersaga.consumer.worker",
    "ordersaga.http.app",
    "ordersaga.relay.dispatch",
    "ordersaga.service",
)
"""Not the modules that are run: each is run as `__main__`, as Python does it."""

SET_DEATH_SIGNAL = 1
"""Of prctl(2)."""


def become(task: dict[str, Any], log: int) -> None:
    """The process that somebody starts in a shell."""
    os.environ.clear()
    os.environ.update(task["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, log, log)):
        os.dup2(descriptor, number)
    os.close(nothing)
    os.close(log)
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, task["death_signal"], 0, 0, 0)


def run(option: str, program: str, *arguments: str) -> None:
    """As `python -m` or `python -c` with these arguments."""
    sys.argv[:] = [option, *arguments]
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})  # noqa: S102 - a script of a test


def adopted_child() -> int:
    """As os.fork, but the new process becomes the child of the next subreaper above this process."""
    reading, writing = os.pipe()
    if between := os.fork():
        os.close(writing)
        os.waitpid(between, 0)
        with os.fdopen(reading) as pipe:
            return int(pipe.read())
    here = os.getpid()
    if child := os.fork():
        os.write(writing, f"{child}\n".encode())
        os._exit(0)
    os.close(reading)
    os.close(writing)
    while os.getppid() == here:
        time.sleep(0.0005)
    return 0


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    for line in sys.stdin:
        task = json.loads(line)
        # Before the pid is answered: then the descriptor that the path names may be closed.
        log = os.open(task["log"], os.O_WRONLY | os.O_APPEND)
        if not (pid := adopted_child()):
            become(task, log)
            run(*task["command"])
            break
        os.close(log)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
