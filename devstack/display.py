"""A stack coming up, as a person sees it: a live table in a terminal, else one line for each thing done."""

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from devstack.supervisor import Progress, Supervisor

STYLES = {"ready": "green", "done": "green", "died": "red", "waiting": "dim"}
REFRESH = 0.1


def say_and_keep(console: Console, log: Path) -> Callable[[str], None]:
    """A function that shows a line and writes it to the supervisor's log; a closed terminal is no error."""

    def say(text: str) -> None:
        with log.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
        try:
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        except OSError:
            console.quiet = True

    return say


def show_start(supervisor: Supervisor, console: Console) -> None:
    """Returns when everything is ready; raises what went wrong."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=1 / REFRESH, get_renderable=lambda: table(supervisor)):
            wait(supervisor, lambda: None)
    else:
        told: set[str] = set()
        wait(supervisor, lambda: tell(supervisor, console, told))
    if supervisor.failure:
        raise supervisor.failure


def wait(supervisor: Supervisor, look: Callable[[], None]) -> None:
    while not (supervisor.ready.wait(REFRESH) or supervisor.ended.is_set()):
        look()
    look()


def table(supervisor: Supervisor) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, progress in supervisor.progress.items():
        table.add_row(name, progress.state, seconds(progress), style=STYLES.get(progress.state, "yellow"))
    return table


def seconds(progress: Progress) -> str:
    if progress.state == "waiting":
        return ""
    passed = progress.seconds if progress.seconds is not None else time.monotonic() - progress.since
    return f"{passed:.1f} s"


def tell(supervisor: Supervisor, console: Console, told: set[str]) -> None:
    for name, progress in supervisor.progress.items():
        if progress.state in ("ready", "done") and name not in told:
            told.add(name)
            console.print(f"{name} {progress.state} ({seconds(progress)})", highlight=False)
