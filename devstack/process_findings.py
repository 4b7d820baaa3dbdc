"""What `./ordersaga doctor` finds of the processes of a running stack: which do not run, are stopped or not ready."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psutil

from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.state import State
from devstack.status import ProcessStatus, status_of
from ordersaga.diagnosis.findings import DiagnosisFinding


def process_findings(state: State) -> list[DiagnosisFinding]:
    """Of all processes that the supervisor keeps running; they are asked at the same time."""
    records = Records(state)
    names = records.expected()
    with ThreadPoolExecutor(len(names) or 1) as executor:
        found = executor.map(lambda name: stopped(records, name) or not_ready(status_of(state, records, name)), names)
        return [finding for finding in found if finding]


def stopped(records: Records, name: str) -> DiagnosisFinding | None:
    """Such a process keeps its connections: the broker and Postgres still take it for one that works."""
    record = records.find(name)
    if record is None or not record.identity.is_running() or not is_stopped(record.pid):
        return None
    what = f"{name} is stopped by a signal: process {record.pid} does nothing, and its connections stay open"
    return DiagnosisFinding("critical", "stopped process", name, what, f"kill -CONT {record.pid}")


def is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def not_ready(status: ProcessStatus) -> DiagnosisFinding | None:
    if status.ready:
        return None
    log = f"./ordersaga logs {status.name}"
    if status.pid is None:
        what, remedy = f"{status.name} does not run; the supervisor starts it again", f"`{log}` says why it ended"
        return DiagnosisFinding("critical", "process that does not run", status.name, what, remedy)
    since = datetime.fromtimestamp(status.since, UTC) if status.since else None
    what = f"{status.name} is not ready: process {status.pid} runs since then"
    remedy = f"http://{LOOPBACK}:{status.port}/readyz and `{log}` say why"
    return DiagnosisFinding("critical", "process that is not ready", status.name, what, remedy, since)
