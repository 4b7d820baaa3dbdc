"""What the sealer's own verification tells when it finds something, cannot be completed, or has begun too early."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from ordersaga.audit.sealed_log import read_leaves
from ordersaga.audit.sealer import StoreSealer
from ordersaga.audit.sealing import SealingLoop
from ordersaga.audit.verification import last_verification
from tests.support.audited import Audited
from tests.support.databases import Databases
from tests.support.wait import until

STORE = "counting"


@pytest.fixture
def audited(database: Databases, tmp_path: Path) -> Audited:
    audited = Audited({STORE: database(STORE)}, tmp_path / "log")
    audited.count("cup")
    return audited


@contextmanager
def sealing(audited: Audited, seconds: float = 0.01) -> Iterator[SealingLoop]:
    stop = threading.Event()
    running = SealingLoop(audited.files(), audited.stores[STORE].auditor_url, audited.signer, seconds, stop)
    threads = [threading.Thread(target=task) for task in (running.run, running.keep_verifying)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def kept(audited: Audited) -> dict[str, Any]:
    return last_verification(audited.files()) or {}


def wait_for(condition: Callable[[], bool]) -> None:
    until(condition, seconds=30)


def test_a_verification_that_cannot_be_completed_is_told_and_proves_nothing(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordersaga.audit.sealing.VERIFY_SECONDS", 0.05)
    rename = "alter table stored_events rename column {} to {}"
    with sealing(audited) as running, psycopg.connect(audited.stores[STORE].owner_url, autocommit=True) as superuser:
        wait_for(lambda: kept(audited).get("clean") is True)
        superuser.execute(rename.format("actor", "whoever"))
        wait_for(lambda: kept(audited)["clean"] is None)
        assert "UndefinedColumn" in kept(audited)["problem"]
        assert any("could not be verified: UndefinedColumn" in problem for problem in running.problems())
        age_before = age()
        wait_for(lambda: age() > age_before)
        superuser.execute(rename.format("whoever", "actor"))
        wait_for(lambda: kept(audited)["clean"] is True)
        wait_for(lambda: not running.problems())
        assert age() >= 0


class Slow(StoreSealer):
    """Does not seal before there was time for a verification."""

    def seal(self) -> int:
        with suppress(AssertionError):
            until(lambda: last_verification(self._files) is not None, seconds=1)
        return super().seal()


def test_what_was_recorded_while_no_sealer_ran_is_not_taken_for_tampering(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited.seal()
    audited.count("lid")
    older = "update stored_events set recorded_at = recorded_at - interval '4 min' where position = 2 returning 1"
    audited.by_hand(older)
    monkeypatch.setattr("ordersaga.audit.sealing.StoreSealer", Slow)
    with sealing(audited):
        wait_for(lambda: kept(audited) != {})
    assert kept(audited)["named"] == []
    assert kept(audited)["clean"] is True


def test_a_damaged_log_is_verified_although_nothing_is_sealed(audited: Audited) -> None:
    audited.seal()
    audited.files().leaves.write_text("")
    with sealing(audited) as running:
        wait_for(lambda: kept(audited).get("clean") is False)
        assert any("leaves of the 1 that were signed" in problem for problem in running.problems())
    assert {finding["kind"] for finding in kept(audited)["named"]} >= {"cut log"}


def test_a_sealer_that_is_stopped_seals_what_is_there(audited: Audited) -> None:
    with sealing(audited, seconds=600) as running:
        wait_for(lambda: not running.problems())
        audited.count("pot")
    assert len(list(read_leaves(audited.files().leaves))) == 2


def age() -> float:
    """Of the last verification, in seconds, as the metric has it."""
    value = REGISTRY.get_sample_value("ordersaga_audit_verification_age_seconds", {"store": STORE})
    assert value is not None
    return value
