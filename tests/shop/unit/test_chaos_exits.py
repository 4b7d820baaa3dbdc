"""The verdict `exits`: a fault has caused each end of a process, or it is an offence."""

import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from devstack.chaos.fault import Fault
from devstack.chaos.faults.processes import KillProcess, LoseHost
from devstack.chaos.faults.servers import KillBackend, KillPostgres, KillRabbitmq
from devstack.chaos.killed_children import KilledChild, killed_children
from devstack.chaos.run_verdicts import exits
from devstack.chaos.sent_signals import SentSignals
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Offence
from devstack.children import Identity
from devstack.death import Death


def sent(*signals: tuple[int, signal.Signals]) -> SentSignals:
    """By pid of an `orders-relay`."""
    found = SentSignals()
    for pid, number in signals:
        found.note("orders-relay", pid, number)
    return found


def death(code: int, pid: int = 7, name: str = "orders-relay") -> Death:
    return Death(name, pid, code, 112.0)


def test_a_process_that_ends_itself_with_an_error_is_an_offence_also_when_a_fault_has_told_it_to_stop() -> None:
    found = exits([death(1)], sent((7, signal.SIGTERM)), 100.0)
    assert found.offences == [
        Offence("process orders-relay (7)", "ended with exit code 1: see its log, 12 s after the start")
    ]


@pytest.mark.parametrize(
    ("code", "got"),
    [(-9, signal.SIGKILL), (-15, signal.SIGTERM), (0, signal.SIGTERM), (0, signal.SIGINT)],
)
def test_the_end_of_a_process_is_excused_by_the_signal_that_a_fault_sent_it(code: int, got: signal.Signals) -> None:
    assert exits([death(code)], sent((7, got)), 100.0).is_good


@pytest.mark.parametrize(
    ("end", "named"),
    [
        (death(-9), "SIGKILL"),
        (death(-9, pid=8), "SIGKILL"),
        (death(-9, name="orders-worker"), "SIGKILL"),
        (death(-9, name="postgres"), "SIGKILL"),
        (death(-11), "SIGSEGV"),
        (death(0), "exit code 0"),
    ],
    ids=str,
)
def test_an_end_that_no_fault_has_caused_is_an_offence_whatever_faults_sent_to_others(end: Death, named: str) -> None:
    """As by the kernel when memory is short; pid 8 is the one that was started after pid 7."""
    others = sent((7, signal.SIGSTOP), (6, signal.SIGKILL), (6, signal.SIGTERM))
    [offence] = exits([end], others, 100.0).offences
    assert (offence.subject, named in offence.detail) == (f"process {end.name} ({end.pid})", True)


def test_a_server_that_a_full_disk_ends_with_an_error_is_none_of_this_verdict() -> None:
    assert exits([death(1, name="postgres")], SentSignals(), 100.0).is_good


def test_a_signal_to_a_process_that_has_ended_already_excuses_nothing() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        target, signals = Identity.of(process.pid), SentSignals()
        process.kill()
        process.wait()
        signals.send("orders-relay", target, signal.SIGKILL)
        assert not signals.to("orders-relay", process.pid)


def test_a_child_that_no_fault_has_killed_is_an_offence_although_its_parent_goes_on(tmp_path: Path) -> None:
    """The lines are those of gunicorn and of Postgres."""
    (tmp_path / "orders-api.log").write_text("ERROR Worker (pid:7) was sent SIGKILL! Perhaps out of memory?\n")
    (tmp_path / "postgres.log.1").write_text(
        "[5] LOG:  client backend (PID 8) was terminated by signal 9: Killed\n"
        "[5] LOG:  client backend (PID 9) was terminated by signal 9: Killed\n"
        "[5] LOG:  client backend (PID 10) was terminated by signal 6: Aborted\n"
    )
    signals = SentSignals()
    signals.note("postgres", 9, signal.SIGKILL)
    found = exits([], signals, 0.0, killed_children(tmp_path))
    assert [(each.subject, "SIGKILL" in each.detail) for each in found.offences] == [
        ("child 7 of orders-api", True),
        ("child 8 of postgres", True),
    ]


def test_the_session_that_kill_backend_kills_is_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        target = Identity.of(process.pid)
        monkeypatch.setattr("devstack.chaos.faults.servers.find", lambda *_: target)
        monkeypatch.setattr("devstack.chaos.faults.servers.is_session", lambda _: True)
        stage = Stage(None, None, Path())  # type: ignore[arg-type]
        KillBackend(stage, Random(1)).inject()
        process.wait()
    assert exits([], stage.signals, 0.0, [KilledChild("postgres", process.pid, signal.SIGKILL)]).is_good


@pytest.mark.parametrize("kind", [KillProcess, LoseHost, KillPostgres, KillRabbitmq])
def test_what_a_fault_kills_is_excused(kind: type[Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault that sends SIGKILL to something that is started again."""
    with ExitStack() as stack:
        running: dict[str, subprocess.Popen[bytes]] = {}

        def find(_: Stage, name: str) -> Identity:
            if name not in running:
                running[name] = stack.enter_context(subprocess.Popen(["sleep", "60"]))
            return Identity.of(running[name].pid)

        monkeypatch.setattr("devstack.chaos.faults.processes.find", find)
        monkeypatch.setattr("devstack.chaos.faults.target.find", find)
        held: list[str] = []
        supervisor = SimpleNamespace(hold=held.append)
        stage = Stage(SimpleNamespace(supervisor=supervisor), None, Path())  # type: ignore[arg-type]
        kind(stage, Random(1)).inject()
        for process in running.values():
            process.wait()
        ends = [Death.of(name, running[name]) for name in held]
        assert held
        assert exits([end for end in ends if end], stage.signals, 0.0).is_good
