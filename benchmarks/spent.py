"""CPU time and resident memory of processes together with all their children, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


class Seen(NamedTuple):
    """One process; `cpu` in seconds, with that of its children that have ended and been waited for."""

    pid: int
    parent: int
    cpu: float


def seen(pid: int) -> Seen:
    """Raises FileNotFoundError or ProcessLookupError when it is gone."""
    # The name before the last parenthesis may contain anything.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return Seen(pid, int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS)


def all_seen() -> Iterator[Seen]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(*GONE):
                yield seen(int(entry.name))


def trees(pids: Mapping[str, int]) -> dict[str, list[Seen]]:
    """Each named process and all below it. Raises RuntimeError when a named one is gone."""
    found = {process.pid: process for process in all_seen()}
    below: dict[int, list[int]] = defaultdict(list)
    for process in found.values():
        below[process.parent].append(process.pid)
    missing = [name for name, pid in pids.items() if pid not in found]
    if missing:
        raise RuntimeError(f"{', '.join(missing)} ended while being measured")
    return {name: [found[each] for each in descendants(pid, below)] for name, pid in pids.items()}


def descendants(pid: int, below: Mapping[int, list[int]]) -> Iterator[int]:
    """The process itself first."""
    yield pid
    for child in below.get(pid, ()):
        yield from descendants(child, below)


def cpu(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of each named process and all below it, those that have ended included."""
    return {name: sum(process.cpu for process in tree) for name, tree in trees(pids).items()}


def since(before: Mapping[str, float], pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds of each since an earlier `cpu`."""
    return {name: seconds - before[name] for name, seconds in cpu(pids).items()}


def memory_mb(pids: Mapping[str, int]) -> float:
    """Resident memory of all together in MB; a page that n of them share counts as 1/n in each (PSS)."""
    processes = {process.pid for tree in trees(pids).values() for process in tree}
    return sum(map(proportional_kb, processes)) / 1024


def proportional_kb(pid: int) -> int:
    """0 when it has ended."""
    with suppress(*GONE):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
