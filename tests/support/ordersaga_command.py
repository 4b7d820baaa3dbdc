"""`ordersaga --app ...` in a process of its own, which must not import anything of the shop."""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
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

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        with self._free, TemporaryDirectory() as directory:
            files = {name: Path(directory, name) for name in ("stdout", "stderr")}
            line = {"arguments": [*arguments], "environment": {**environment}}
            line |= {name: str(file) for name, file in files.items()}
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
            exit_code = int(self._process.stdout.readline())
            printed = {name: file.read_text() for name, file in files.items()}
        return subprocess.CompletedProcess(arguments, exit_code, **printed)

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
        done = server().run(list(map(str, arguments)), environment)
        printed = done.stdout + done.stderr
        assert done.returncode == expect, printed
        return printed


def ordersaga(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """With these variables more."""
    return server().run(arguments, {**os.environ, **environment})
