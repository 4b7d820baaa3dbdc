"""Threads: what the kernel knows about each thread of a process that does not react to a signal."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from devstack.children import Identity

STATUS = ("Name", "State", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
"""Of /proc/PID/task/TID/status; signals as masks: SIGTERM is 4000. ShdPnd is pending for the process as a whole."""
FILES = ("wchan", "syscall", "stack")
"""What a thread waits in; the kernel shows them to root."""


def write_threads(processes: Sequence[Identity], path: Path) -> None:
    """One paragraph for each thread of the processes that still run."""
    path.write_text("\n\n".join(paragraph for each in processes for paragraph in _threads(each)) + "\n")


def _threads(process: Identity) -> Iterator[str]:
    # A process or a thread may end while it is read.
    with suppress(OSError):
        if process.is_running():
            for task in sorted(Path(f"/proc/{process.pid}/task").iterdir(), key=lambda task: int(task.name)):
                with suppress(OSError):
                    yield _thread(process, task)


def _thread(process: Identity, task: Path) -> str:
    shown = [line for line in (task / "status").read_text().splitlines() if line.split(":")[0] in STATUS]
    for name in FILES:
        with suppress(OSError):
            shown.append(f"{name}:\t{(task / name).read_text().strip()}")
    return "\n".join([f"process {process.pid}, thread {task.name}", *shown])
