"""`./ordersaga status`: which processes run and are ready."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import click

from devstack.managed import says_ready
from devstack.options import state_option
from devstack.records import Record, Records
from devstack.servers.postgres import Postgres
from devstack.servers.rabbitmq import RabbitMQ
from devstack.state import State
from ordersaga.cli.options import json_option


@dataclass(frozen=True)
class ProcessStatus:
    """One process; `since` is Unix time in seconds, and all but `name` and `ready` is null when it does not run."""

    name: str
    ready: bool
    pid: int | None = None
    port: int | None = None
    since: float | None = None


@click.command()
@state_option
@json_option
def status(state: State, as_json: bool) -> None:
    """List the processes of the stack. Exit code 0 when every one is ready, else 1."""
    records = Records(state)
    running = records.supervisor() is not None
    lines = all_statuses(state, records) if running else []
    ready = running and all(line.ready for line in lines)
    if as_json:
        found = {"state": str(state.directory), "running": running, "ready": ready}
        print(json.dumps(found | {"processes": [asdict(line) for line in lines]}))
    elif running:
        print("\n".join(table(lines)))
    else:
        print(f"No stack is running in {state.directory}.")
    raise SystemExit(0 if ready else 1)


def all_statuses(state: State, records: Records) -> list[ProcessStatus]:
    """All processes are asked at the same time."""
    names = records.expected()
    with ThreadPoolExecutor(len(names) or 1) as executor:
        return list(executor.map(lambda name: status_of(state, records, name), names))


def status_of(state: State, records: Records, name: str) -> ProcessStatus:
    record = records.find(name)
    if record is None or not record.identity.is_running():
        return ProcessStatus(name, ready=False)
    return ProcessStatus(name, is_ready(state, records, record), record.pid, record.port, record.since)


def is_ready(state: State, records: Records, record: Record) -> bool:
    for server in (Postgres, RabbitMQ):
        if record.name == server.name:
            return server(state, records).is_ready()
    return record.port is not None and says_ready(record.port)


def table(lines: list[ProcessStatus]) -> list[str]:
    """Columns with a heading."""
    rows = [("NAME", "READY", "PID", "PORT", "UP FOR")]
    for line in lines:
        up_for = "-" if line.since is None else f"{time.time() - line.since:.0f} s"
        rows.append((line.name, "yes" if line.ready else "no", str(line.pid or "-"), str(line.port or "-"), up_for))
    return [f"{name:22}{ready:7}{pid:>8}{port:>8}{up_for:>10}" for name, ready, pid, port, up_for in rows]
