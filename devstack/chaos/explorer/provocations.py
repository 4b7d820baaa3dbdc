"""Provocations: what is done beside the orders of an entry, so that its failpoint is passed; each heals what it did."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import requests

from devstack.breaking.channel import broker_channel
from devstack.chaos.explorer.mix import Mix
from devstack.chaos.explorer.product import Entry
from devstack.chaos.explorer.stage import ExplorerStage
from devstack.chaos.faults.broker import process_of
from devstack.chaos.faults.target import send
from devstack.processes import PROCESSES
from devstack.servers.rabbitmq import RabbitMQ
from devstack.state import IMPORT_PATH, ROOT
from devstack.waiting import until
from ordersaga.broker.topology import EVENTS
from ordersaga.runtime.failpoints import VARIABLE
from ordersaga.runtime.settings import url_variable

LIMIT_SECONDS = 40
REBUILD_SECONDS = 90
FULL = "explorer-full"
REFUSED_CONTRACT = "orders.order_placed.*"
SILENT = "inventory_service.0"
ACTIONS = ("hold", "release", "retry")


def nothing(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """The orders are enough."""


def refuse_longer(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """The first retries of the parked message fail too."""
    until(lambda: explorer.arming.is_reached(entry), f"{entry} to be reached", LIMIT_SECONDS)


def restart(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """SIGTERM stops the process, and the supervisor starts it again."""
    send(explorer.stage, entry.process, signal.SIGTERM)
    until(lambda: explorer.stage.scene.records.find(entry.process), f"{entry.process} to be started", LIMIT_SECONDS)
    explorer.stage.stack.supervisor.release(entry.process)


OLD_ROWS = """
insert into outbox (position, xid, message_id, contract, source, key, sequence, time, event_hash, correlation_id, actor,
    traceparent, tracestate, body)
overriding system value
select (select min(position) from outbox) - row_number() over (order by position), '3', gen_random_uuid(), contract,
    source, key, sequence, now() - interval '60 days', event_hash, correlation_id, actor, traceparent, tracestate, body
from outbox order by position limit 20
"""
"""Before all others, where a relay looks for old rows, and of a transaction that counts as published."""
OLD_KEYS = """
insert into idempotency_keys (caller, key, request_hash, status, headers, body, created_at)
select 'explorer', gen_random_uuid(), ''::bytea, 200, '{}', '', now() - interval '60 days'
from generate_series(1, 5)
"""


def old_rows(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """There are rows beyond their retention; a process looks for them when it starts."""
    [database] = next(process for process in PROCESSES if process.name == entry.process).databases
    explorer.execute(database, OLD_ROWS if entry.process.endswith("-relay") else OLD_KEYS)
    restart(explorer, entry, mix)


def full_queue(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """A queue that takes nothing is bound for the placed orders, until one was refused."""
    with full(explorer):
        mix.order_until(lambda: refused(explorer) or explorer.arming.is_reached(entry), LIMIT_SECONDS)


def refused(explorer: ExplorerStage) -> bool:
    return bool(explorer.execute("order_service", "select 1 from undeliverable limit 1"))


@contextmanager
def full(explorer: ExplorerStage) -> Iterator[None]:
    with broker_channel(explorer.stage.stack.environments) as channel:
        channel.queue_declare(FULL, durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        channel.queue_bind(FULL, EVENTS, routing_key=f"{REFUSED_CONTRACT}.*")
        try:
            yield
        finally:
            channel.queue_delete(FULL)


def silent_queue(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """A quorum queue gives no answer until the relay publishes around it; then it has to catch up."""
    with suspended(explorer):
        mix.order_until(lambda: detached(explorer) or explorer.arming.is_reached(entry), LIMIT_SECONDS)
    until(lambda: not detached(explorer), "the queue to be attached", LIMIT_SECONDS)


def detached(explorer: ExplorerStage) -> bool:
    return bool(explorer.execute("order_service", "select 1 from detached_queues limit 1"))


@contextmanager
def suspended(explorer: ExplorerStage) -> Iterator[None]:
    broker = RabbitMQ(explorer.stage.scene.state, explorer.stage.scene.records)
    broker.control("eval", f"sys:suspend({process_of(SILENT)}).")
    try:
        yield
    finally:
        broker.control("eval", f"sys:resume({process_of(SILENT)}).")


def operate(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """An operator holds the parked message, releases and retries it; what has no answer is done again."""
    parked = until(lambda: mix.parked_messages() if mix.refused_order else [], "a parked message", LIMIT_SECONDS)
    for action in ACTIONS:
        path = f"/parked/{parked[0]}/{action}"
        until(partial(acted, explorer, path), f"an answer to {path}", LIMIT_SECONDS)


def acted(explorer: ExplorerStage, path: str) -> bool:
    """Whether there is an answer that is not 5xx: the message may have gone meanwhile (404)."""
    try:
        return explorer.post("inventory-api", path, {"reason": "exploration"}).status_code < 500
    except requests.RequestException:
        return False


def rebuild(explorer: ExplorerStage, entry: Entry, mix: Mix) -> None:
    """The read side is rebuilt while orders come; if that failed, once more, and that must do.

    Raises RuntimeError when the second rebuild fails.
    """
    armed = {VARIABLE: str(explorer.arming.file(entry.process))}
    first = run_rebuild(explorer, armed)
    if first.returncode and (second := run_rebuild(explorer, {})).returncode:
        raise RuntimeError(f"The rebuild after one that failed fails too: {second.stdout}{second.stderr}")


def run_rebuild(explorer: ExplorerStage, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    urls = explorer.stage.stack.environments.owner_urls()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": IMPORT_PATH,
        **{url_variable(name): url for name, url in urls.items()},
        **more,
    }
    command = [sys.executable, "-P", "-m", "ordersaga.cli", "--app", "shop:services", "projections", "rebuild"]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=REBUILD_SECONDS
    )


PROVOCATIONS: Mapping[str, Callable[[ExplorerStage, Entry, Mix], None]] = {
    "": nothing,
    "refuse longer": refuse_longer,
    "restart": restart,
    "old rows": old_rows,
    "full queue": full_queue,
    "silent queue": silent_queue,
    "operate": operate,
    "rebuild": rebuild,
}
