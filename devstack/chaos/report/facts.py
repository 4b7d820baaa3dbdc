"""Facts of a chaos run: the command that repeats it, the versions, the machine, the load."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import psutil
import psycopg
import requests

from devstack.chaos.stage import Stage
from devstack.version import revision
from ordersaga import __version__


@dataclass(frozen=True)
class Facts:
    seed: int
    minutes: float
    rate: float
    """Orders a second that are offered."""
    command: str
    began: str
    """Start of the load, UTC."""
    versions: dict[str, str]
    machine: dict[str, str]

    @classmethod
    def of(
        cls, seed: int, minutes: float, rate: float, command: str, began_at: float, servers: Mapping[str, str]
    ) -> Self:
        began = datetime.fromtimestamp(began_at, UTC).isoformat(timespec="seconds")
        return cls(seed, minutes, rate, command, began, {**versions(), **servers}, machine())


def versions() -> dict[str, str]:
    return {"ordersaga": " ".join(filter(None, [__version__, revision()])), "Python": sys.version.split()[0]}


def machine() -> dict[str, str]:
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return {
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load average at the end": load,
    }


def server_versions(stage: Stage) -> dict[str, str]:
    with psycopg.connect(stage.stack.environments.owner_urls()["order_service"]) as connection:
        row = connection.execute("show server_version").fetchone()
    return {"Postgres": row[0] if row else "", "RabbitMQ": rabbitmq_version(stage)}


def rabbitmq_version(stage: Stage) -> str:
    """As its metrics say it; empty when they do not."""
    answer = requests.get(f"{stage.stack.environments.broker_metrics_url()}/metrics", timeout=10, proxies={"http": ""})
    found = re.search(r'rabbitmq_version="([^"]+)"', answer.text)
    return found[1] if found else ""
