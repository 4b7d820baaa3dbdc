"""Managed: a private server or a process of the shop that the supervisor keeps running."""

import time
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.request import ProxyHandler, build_opener

from devstack.death import Death
from devstack.ports import LOOPBACK
from ordersaga.cli.errors import Failed

TAIL = 15


class Managed(Protocol):
    """One thread launches it, asks whether it is ready, and stops it."""

    @property
    def name(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int | None:
        """None when it does not run."""

    @property
    def death(self) -> Death | None:
        """None while it runs, and before it is launched."""

    @property
    def log(self) -> Path: ...

    def launch(self) -> None: ...

    def is_ready(self) -> bool: ...

    def ask_to_stop(self) -> None: ...

    def stop(self) -> None: ...


def wait_until_ready(managed: Managed, seconds: float) -> None:
    """Raises Failed when it ends or takes longer."""
    end = time.monotonic() + seconds
    while not managed.is_ready():
        if managed.pid is None or time.monotonic() > end:
            raise Failed(did_not_start(managed))
        time.sleep(0.05)


def did_not_start(managed: Managed) -> str:
    """A message with the last lines of its log, and the log's path."""
    how = "does not get ready" if managed.pid else "ended while starting"
    return f"{managed.name} {how}. {last_lines(managed.log)}"


def last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-TAIL:] if log.exists() else []
    return "\n".join([f"The end of {log}:", *(f"  {line}" for line in lines)])


def says_ready(port: int) -> bool:
    """Whether GET /readyz there is 200."""
    try:
        with build_opener(ProxyHandler({})).open(f"http://{LOOPBACK}:{port}/readyz", timeout=3) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False
