"""MemorySampler: writes the resident memory of every process of a stack to a file, every two seconds."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from devstack.records import SUPERVISOR, Records

FILE = "memory.jsonl"
EVERY_SECONDS = 2.0
STALE_SECONDS = 60.0
"""A sampler that has written nothing for so long stands still."""


@dataclass(frozen=True)
class MemorySample:
    """One process with its children; `at` is seconds since the first sample, `resident` bytes."""

    at: float
    process: str
    pid: int
    resident: int


class MemorySampler:
    """Samples in a thread of its own for as long as the block lasts; `directory` gets the file."""

    def __init__(self, records: Records, directory: Path, every: float = EVERY_SECONDS) -> None:
        self._records = records
        self._path = directory / FILE
        self._every = every
        self._stop = threading.Event()
        self._failure = ""
        self._wrote_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="memory sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def lacks(self) -> str:
        """Why the samples do not reach until now, as a sentence; empty when they do."""
        if self._failure:
            return f"The sampler has failed: {self._failure}"
        silent = time.monotonic() - self._wrote_at
        return f"The sampler has written nothing for {silent:.0f} s." if silent > STALE_SECONDS else ""

    def _run(self) -> None:
        try:
            self._sample()
        except Exception as error:  # noqa: BLE001 - the verdict names it
            self._failure = repr(error)

    def _sample(self) -> None:
        began = time.monotonic()
        with self._path.open("w") as file:
            while not self._stop.is_set():
                for sample in samples(self._records, round(time.monotonic() - began, 1)):
                    file.write(json.dumps(asdict(sample)) + "\n")
                file.flush()
                self._wrote_at = time.monotonic()
                self._stop.wait(self._every)


def samples(records: Records, at: float) -> Iterator[MemorySample]:
    """Of every process that runs now, the supervisor excepted: it runs the load too."""
    for record in records.all():
        if record.name != SUPERVISOR and (resident := resident_of(record.pid)):
            yield MemorySample(at, record.name, record.pid, resident)


def resident_of(pid: int) -> int:
    """Bytes of a process and its children, without what they share; 0 when it has ended."""
    try:
        process = psutil.Process(pid)
        return sum(private(each) for each in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def private(process: psutil.Process) -> int:
    try:
        found = process.memory_info()
    except psutil.Error:
        return 0
    return int(found.rss - found.shared)
