"""What `./ordersaga doctor` finds of the processes of a running stack: which do not run, are stopped or not ready."""

from datetime import UTC, datetime

import psutil

from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.state import State
from devstack.status import ProcessStatus, all_statuses
from ordersaga.diagnosis.findings import DiagnosisFinding


def process_findings(state: State) -> list[DiagnosisFinding]:
    """One for each process that the supervisor keeps running and that is not ready."""
    return [finding(status) for status in all_statuses(state, Records(state)) if not status.ready]


def finding(status: ProcessStatus) -> DiagnosisFinding:
    name, pid = status.name, status.pid
    log = f"./ordersaga logs {name}"
    if pid is None:
        what, remedy = f"{name} does not run; the supervisor starts it again", f"`{log}` says why it ended"
        return DiagnosisFinding("critical", "process that does not run", name, what, remedy)
    if is_stopped(pid):
        # Its connections stay open: the broker and Postgres still take it for one that works.
        what = f"{name} is stopped by a signal: process {pid} does nothing, and its connections stay open"
        return DiagnosisFinding("critical", "stopped process", name, what, f"kill -CONT {pid}")
    since = datetime.fromtimestamp(status.since, UTC) if status.since else None
    remedy = f"http://{LOOPBACK}:{status.port}/readyz and `{log}` say why"
    what = f"{name} is not ready: process {pid} runs since then"
    return DiagnosisFinding("critical", "process that is not ready", name, what, remedy, since)


def is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
