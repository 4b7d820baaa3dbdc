"""The state directory of one stack: passwords, ports, keys, data, logs and records of its processes."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack import ports
from ordersaga.cli.errors import Failed

ROOT = Path(__file__).resolve().parent.parent
IMPORT_PATH = f"{ROOT}:{ROOT / 'src'}"
"""PYTHONPATH of every process: the shop, and the library that it is built on."""
MARKER = "this-is-an-ordersaga-state-directory"
LOCK = "lock"
ERASURES = "erasures.jsonl"
"""The list of erased personal keys; it is kept when the data is deleted, because backups may bring data back."""
CHOOSE = "Choose another directory with --state."


class State:
    """Passwords, ports and keys are made on first use and kept; every file is readable by its owner alone."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory).resolve()
        self.logs = self.directory / "logs"

    def create(self) -> "State":
        """Make the directory; raises Failed when it is in use for something else."""
        try:
            if self.directory.exists() and not self.exists() and any(self.directory.iterdir()):
                raise Failed(f"{self.directory} is not empty and was not made by ordersaga. {CHOOSE}")
            self.directory.mkdir(parents=True, exist_ok=True)
            # Others may pass through, not look: Postgres started by root runs as another user.
            self.directory.chmod(0o711)
            (self.directory / MARKER).touch(mode=0o600)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Failed(f"{self.directory} cannot hold the state: {error.strerror}. {CHOOSE}") from None
        return self

    def exists(self) -> bool:
        return (self.directory / MARKER).is_file()

    def clear(self) -> None:
        """Delete everything but the erasures; only a directory with our marker is ever emptied."""
        if not self.exists():
            return
        for path in self.directory.iterdir():
            if path.name not in (MARKER, LOCK, ERASURES):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.create()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One stack per state directory; the kernel releases the lock when its holder dies."""
        with os.fdopen(os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failed(self._in_use(file.read().strip())) from None
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _in_use(self, pid: str) -> str:
        return (
            f"Another stack (process {pid}) is using {self.directory}. "
            f"Stop it with `./ordersaga down --state {self.directory}`. {CHOOSE}"
        )

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def secret(self, name: str, size: int = 24) -> str:
        """`size` random bytes as text, always the same for the same name."""
        return str(self._keep("secrets.json", name, lambda kept: secrets.token_urlsafe(size)))

    def port(self, name: str) -> int:
        """A loopback port, always the same for the same name while nobody else has taken it."""
        return int(self._keep("ports.json", name, lambda kept: ports.choose(set(kept.values()))))

    def renew_port(self, name: str) -> int:
        """The kept port, or a new one when a stranger listens there now."""
        if not ports.is_free(self.port(name)):
            kept = self.read("ports.json")
            del kept[name]
            self.write("ports.json", kept)
        return self.port(name)

    def _keep(self, file: str, name: str, make: Callable[[dict[str, Any]], Any]) -> Any:
        kept = self.read(file)
        if name not in kept:
            kept[name] = make(kept)
            self.write(file, kept)
        return kept[name]

    def read(self, file: str) -> dict[str, Any]:
        try:
            content = (self.directory / file).read_text()
        except FileNotFoundError:
            return {}
        return dict(json.loads(content))

    def write(self, file: str, content: dict[str, Any]) -> None:
        self.write_text(file, json.dumps(content, indent=1))

    def write_text(self, file: str, text: str) -> Path:
        """Atomically: readers see the old file or the whole new one, also after a crash."""
        path = self.directory / file
        new = path.with_name(path.name + ".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(text)
        return new.replace(path)
