"""The built wheel in a virtual environment of its own, and the commands of a page run there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib.metadata import distributions
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.sql import SQL, Identifier

from tests.library.distributions import copy, declared, needed
from tests.support.workers import ROOT

PIP = ("pip", "--quiet", "--disable-pip-version-check", "--no-input")
PAGES = ROOT / "docs"
PYTHON_BLOCK = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
SHELL_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMENT = re.compile(r"\s+# .*$")


class Installed:
    """A virtual environment that holds the library and what it depends on, and nothing of this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        (site,) = self.folder.glob("lib/python*/site-packages")
        return site


def build(folder: Path) -> None:
    """The sdist, and the wheel from the sdist."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], cwd=ROOT, check=True)
    (sdist,) = folder.glob("*.tar.gz")
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([sys.executable, "-m", *PIP, "wheel", *offline, "--wheel-dir", folder, sdist], check=True)


def install(folder: Path, wheel: Path, *extras: str) -> Installed:
    """The wheel by pip, and what it declares to need as this environment has it, which has the versions of the lock."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    installed = Installed(folder / "venv")
    pip = [sys.executable, "-m", *PIP, "--python", str(installed.python), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)
    (ours,) = distributions(name="ordersaga", path=[str(installed.site)])
    for each in needed(declared(ours, extras)):
        copy(each, installed.site)
    return installed


def without_repository() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}


class Page:
    """The files of a page, written into a folder, and its commands as somebody types them there."""

    def __init__(self, name: str, folder: Path, installed: Installed, environment: Mapping[str, str]) -> None:
        self.text = (PAGES / name).read_text()
        self.folder = folder
        self.environment = {
            **without_repository(),
            "PATH": f"{installed.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            **environment,
        }
        self.replaced: dict[str, str] = {}
        """What stands on the page -> what it is here, such as a port."""
        self._at_the_end = ExitStack()
        for block in PYTHON_BLOCK.finditer(self.text):
            (folder / block["path"]).write_text(block["code"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_the_end.close()

    @property
    def commands(self) -> list[str]:
        """In the order of the page, without comments; servers' addresses are left out."""
        lines = "".join(SHELL_BLOCK.findall(self.text)).replace("\\\n", "").splitlines()
        found = [COMMENT.sub("", line).strip() for line in lines]
        return [line for line in found if line and "user:password" not in line]

    def run(self, command: str) -> str:
        """What it prints. `NAME=value` stays for the next ones, and what ends in & goes on until the end."""
        for text, here in self.replaced.items():
            command = command.replace(text, here)
        if command.endswith("&"):
            self._start(command.removesuffix("&"))
            return ""
        after = self.folder / "environment"
        script = f"set -euo pipefail; {command}\nenv -0 > {shlex.quote(str(after))}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        self.environment = dict(line.split("=", 1) for line in after.read_text().split("\0") if line)
        return done.stdout

    def _start(self, command: str) -> None:
        arguments = ["bash", "-c", f"exec {command}"]
        process = subprocess.Popen(arguments, cwd=self.folder, env=self.environment)
        self._at_the_end.callback(process.wait, timeout=20)
        self._at_the_end.callback(process.terminate)


def empty_database(servers: Any, name: str) -> Iterator[str]:
    """URL of a database that goes with the test."""
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
        yield servers.postgres.superuser_url(name)
        connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))
