"""The start of a stack for a person: a live table in a terminal, else a line for each process that is ready."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from devstack.supervisor import StartProgress, Supervisor

STYLES = {"ready": "green", "done": "green", "died": "red", "waiting": "dim"}
REFRESH = 0.1


def say_and_log(console: Console, log: Path) -> Callable[[str], None]:
    """A function that prints a line and appends it to the supervisor's log.

    It raises nothing on a full disk, because a line is said before a stack is stopped. The console must not raise
    either: see `devstack.terminal`.
    """

    def say(text: str) -> None:
        with suppress(OSError), log.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    return say


def show_start(supervisor: Supervisor, console: Console) -> None:
    """Show the start until everything is ready; raises the supervisor's failure."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=1 / REFRESH, get_renderable=lambda: table(supervisor)):
            wait(supervisor, lambda: None)
    else:
        printed: set[str] = set()
        wait(supervisor, lambda: print_ready(supervisor, console, printed))
    if supervisor.failure:
        raise supervisor.failure


def wait(supervisor: Supervisor, on_poll: Callable[[], None]) -> None:
    while not (supervisor.ready.wait(REFRESH) or supervisor.ended.is_set()):
        on_poll()
    on_poll()


def table(supervisor: Supervisor) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, progress in supervisor.progress.items():
        table.add_row(name, progress.state, seconds(progress), style=STYLES.get(progress.state, "yellow"))
    return table


def seconds(progress: StartProgress) -> str:
    if progress.state == "waiting":
        return ""
    passed = progress.seconds if progress.seconds is not None else time.monotonic() - progress.since
    return f"{passed:.1f} s"


def print_ready(supervisor: Supervisor, console: Console, printed: set[str]) -> None:
    for name, progress in supervisor.progress.items():
        if progress.state in ("ready", "done") and name not in printed:
            printed.add(name)
            console.print(f"{name} {progress.state} ({seconds(progress)})", highlight=False)
