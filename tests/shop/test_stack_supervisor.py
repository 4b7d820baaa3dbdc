"""The supervisor: brings up in order, restarts what dies, takes down in reverse, leaves nothing behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.children import Identity
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.processes import GROUPS, MONITORING, PROCESSES, Process
from devstack.records import Records
from devstack.servers import rabbitmq
from devstack.service_process import ServiceProcess
from devstack.state import State
from devstack.supervisor import Supervisor
from ordersaga.cli.errors import Failed
from projections.monitor.targets import read_services, read_targets
from tests.support.wait import until

PROGRAM = """
import signal, sys
from pathlib import Path
from wsgiref.simple_server import make_server

def answer(environ, start_response):
    start_response("200 OK", [])
    return [b""]

def stop(*_):
    with Path(sys.argv[2]).open("a") as file:
        file.write(sys.argv[1] + "\\n")
    sys.exit()

signal.signal(signal.SIGTERM, stop)
make_server("127.0.0.1", int(sys.argv[1]), answer).serve_forever()
"""
"""Is ready at once; notes its port when it is asked to stop."""

SUPERVISE = """
import sys
from tests.shop.test_stack_supervisor import supervised
with supervised(sys.argv[1], ["one", "two"]) as stack:
    print(*(process.pid for process in stack.processes), flush=True)
    sys.stdin.read()
"""


class Stack:
    """Two small processes instead of the suite's eleven."""

    def __init__(self, directory: Path | str, names: list[str]) -> None:
        self.state = State(directory).create()
        self.records = Records(self.state)
        self.said: list[str] = []
        self.stopped = self.state.directory / "stopped"
        (self.state.directory / "program.py").write_text(PROGRAM)
        environments = Environments(self.state, ExternalServers())
        self.processes = [ServiceProcess(self.state, self.records, environments, self.line(name)) for name in names]
        self.supervisor = Supervisor([], [], self.processes, self.said.append)

    def line(self, name: str) -> Process:
        return Process(name, (str(self.state.directory / "program.py"), "{port}", str(self.stopped)))


@contextmanager
def supervised(directory: Path | str, names: list[str]) -> Iterator[Stack]:
    stack = Stack(directory, names)
    stack.supervisor.start()
    try:
        until(lambda: stack.supervisor.ready.is_set() or stack.supervisor.ended.is_set())
        yield stack
    finally:
        stack.supervisor.shut_down()


def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    with supervised(tmp_path, ["one", "two"]) as stack:
        first, second = (process.pid for process in stack.processes)
        assert first
        Identity.of(first).signal(signal.SIGKILL)
        until(lambda: "one is ready again" in stack.said)
        assert stack.processes[0].pid not in (None, first)
        assert stack.processes[1].pid == second
        record = stack.records.find("one")
        assert record
        assert record.pid == stack.processes[0].pid
        assert [(each.name, each.pid, each.code) for each in stack.supervisor.deaths] == [("one", first, -9)]


def test_a_process_that_cannot_start_ends_the_start_and_the_others(tmp_path: Path) -> None:
    stack = Stack(tmp_path, ["one"])
    broken = Process("broken", ("-c", "raise SystemExit('no such card')"))
    stack.processes.append(
        ServiceProcess(stack.state, stack.records, Environments(stack.state, ExternalServers()), broken)
    )
    stack.supervisor = Supervisor([], [], stack.processes, stack.said.append)
    stack.supervisor.start()
    stack.supervisor.join()
    assert isinstance(stack.supervisor.failure, Failed)
    assert "no such card" in str(stack.supervisor.failure)
    assert stack.processes[0].pid is None


def test_every_process_is_asked_to_stop_and_does(tmp_path: Path) -> None:
    with supervised(tmp_path, ["one", "two"]) as stack:
        pass
    # One that has not ended yet when all are asked is asked once more.
    assert set(stack.stopped.read_text().split()) == {str(process.port) for process in stack.processes}
    assert stack.records.all() == []


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISE, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        children = [Identity.of(int(pid)) for pid in process.stdout.readline().split()]
        assert len(children) == 2
        process.kill()
        assert all(child.wait(10) for child in children)


def test_leftovers_are_ended_and_strangers_left_alone(tmp_path: Path) -> None:
    records = Records(State(tmp_path).create())
    with subprocess.Popen(["sleep", "60"]) as leftover, subprocess.Popen(["sleep", "60"]) as stranger:
        records.begin(ExternalServers(), ["leftover", "stranger"])
        records.add("leftover", leftover.pid)
        records.add("stranger", stranger.pid)
        make_older(records, "stranger")
        assert records.end_leftovers() == ["leftover"]
        assert leftover.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()


def make_older(records: Records, name: str) -> None:
    """As if the recorded process had ended and its pid been given to another."""
    state = State(records._state.directory)
    content = state.read("stack.json")
    for record in content["processes"]:
        record["start_time"] -= record["name"] == name
    state.write("stack.json", content)


def test_only_a_directory_of_ours_is_used_and_cleared(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Failed, match="not made by ordersaga"):
        State(tmp_path).create()
    State(tmp_path).clear()
    assert (tmp_path / "thesis.txt").exists()


def test_passwords_and_ports_are_kept_private_until_they_are_cleared(tmp_path: Path) -> None:
    state = State(tmp_path).create()
    password, port = state.secret("relay"), state.port("orders-api")
    assert (State(tmp_path).secret("relay"), State(tmp_path).port("orders-api")) == (password, port)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    with state.locked():
        state.clear()
    assert state.secret("relay") != password


def test_three_of_four_databases_are_an_error_that_names_the_fourth() -> None:
    environment = {f"{name.upper()}_DATABASE_URL": "postgresql://db" for name in GROUPS[:3]}
    with pytest.raises(Failed, match="PROJECTIONS_DATABASE_URL"):
        ExternalServers.from_environment(environment)
    assert ExternalServers.from_environment({}) == ExternalServers()


def test_each_process_is_told_its_own_secrets_alone(tmp_path: Path) -> None:
    environments = Environments(State(tmp_path).create(), ExternalServers(), {"STRIPE_API_KEY": "sk_live_of_somebody"})
    relay = environments.of(Process("r", (), databases={"order_service": "relay"}, amqp_user="relay"))
    assert relay["ORDER_SERVICE_DATABASE_URL"].startswith("postgresql://relay:")
    assert relay["AMQP_URL"].startswith("amqp://relay:")
    assert set(relay) == {"ORDER_SERVICE_DATABASE_URL", "AMQP_URL", "PYTHONPATH", "PYTHONUNBUFFERED"}
    cards = environments.of(Process("c", (), settings={"KEY": "{card_key}", "BASE": "{card_url}"}))
    assert cards["KEY"].startswith("sk_test_")
    assert cards["BASE"].startswith("http://127.0.0.1:")


def test_a_watching_process_is_told_where_every_process_and_the_broker_tell_how_they_are(tmp_path: Path) -> None:
    state = State(tmp_path).create()
    watching = Process("w", (), settings=MONITORING)
    told = Environments(state, ExternalServers(), {}).of(watching)
    assert [target.name for target in read_targets(told["MONITORED"])] == [process.name for process in PROCESSES]
    assert f"orders-relay=http://127.0.0.1:{state.port('orders-relay')}" in told["MONITORED"].split()
    assert read_services(told["SERVICES"])["order_service"] == f"http://127.0.0.1:{state.port('orders-api')}"
    assert told["BROKER_METRICS_URL"] == rabbitmq.metrics_url(state)
    theirs = ExternalServers(amqp="amqp://somewhere")
    assert Environments(state, theirs, {}).of(watching)["BROKER_METRICS_URL"] == ""
    named = {"BROKER_METRICS_URL": "http://somewhere:15692"}
    assert Environments(state, theirs, named).of(watching)["BROKER_METRICS_URL"] == "http://somewhere:15692"
