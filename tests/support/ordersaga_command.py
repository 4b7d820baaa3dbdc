"""`ordersaga --app ...` in a process of its own, which must not import anything of the shop."""

import atexit
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from tests.support.workers import ROOT


class CommandServer:
    """One command at a time; ends with this process, because its input ends then."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.command_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._free = Lock()
        atexit.register(self._end)

    def run(self, arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Exit code, and what the command has printed on stdout and then on stderr."""
        with self._free, TemporaryDirectory() as directory:
            files = {name: Path(directory, name) for name in ("stdout", "stderr")}
            line = {"arguments": arguments, "environment": environment, **{name: str(files[name]) for name in files}}
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
            exit_code = int(self._process.stdout.readline())
            return exit_code, "".join(file.read_text() for file in files.values())

    def _end(self) -> None:
        self._process.communicate()


@cache
def server() -> CommandServer:
    return CommandServer()


@dataclass
class OrdersagaCommand:
    """Call it with arguments; another exit code than `expect` fails the test."""

    app: str
    variables: dict[str, str]
    database: str = ""
    """The variable that `url` is given in."""

    @property
    def environment(self) -> dict[str, str]:
        return {"ORDERSAGA_APP": self.app, **self.variables}

    def __call__(self, *arguments: object, url: str = "", expect: int = 0) -> str:
        """Returns what it printed, on stdout and then on stderr."""
        environment = {**os.environ, **self.environment, **({self.database: url} if url else {})}
        exit_code, printed = server().run(list(map(str, arguments)), environment)
        assert exit_code == expect, printed
        return printed
