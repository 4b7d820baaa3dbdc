"""What the sealer promises: every event once, whoever commits late and whenever it is killed; nothing signed twice."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg.errors import InsufficientPrivilege

from ordersaga.audit import sealer as sealing_module
from ordersaga.audit import store
from ordersaga.audit.leaf import Leaf
from ordersaga.audit.note import Signer
from ordersaga.audit.sealed_log import LogDamaged, read_leaves, read_notes
from ordersaga.audit.store import ClocksDiffer, EventRow
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction
from tests.support.audited import Audited, count
from tests.support.counting import announcements
from tests.support.databases import Databases
from tests.support.wait import until

ROOT = Path(__file__).parents[2]
KEY = Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def audited(database: Databases, tmp_path: Path) -> Audited:
    return Audited({"counting": database("counting")}, tmp_path / "log", Signer(KEY))


def events(audited: Audited) -> int:
    return int(audited.stores["counting"].rows("select count(*) from stored_events")[0][0])


def sealed_positions(audited: Audited) -> list[int]:
    return [Leaf.parse(line).position for line in read_leaves(audited.files().leaves)]


def test_what_commits_late_is_sealed_too_and_nothing_is_sealed_twice(audited: Audited) -> None:
    late = audited.stores["counting"].connect()
    with audited.sealer() as sealer, late:
        with late.transaction():
            transaction = Transaction(late, announcements, Cause(uuid4()))
            count(transaction, "late")
            transaction.flush()
            with ThreadPoolExecutor(4) as writers:
                written = [writers.submit(write, audited, f"name {number}") for number in range(4)]
                while not all(each.done() for each in written):
                    sealer.seal()
            sealer.seal()
            assert sealer.size == 4 * 25
        assert sealer.seal() == 1
    assert sorted(sealed_positions(audited)) == list(range(1, 102))
    assert audited.findings() == []


def test_what_is_recorded_while_a_window_is_being_sealed_is_not_taken_for_inserted(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: a checkpoint has the time before its snapshot, not that of its signature."""
    monkeypatch.setattr("ordersaga.audit.store_check.LONGEST_TRANSACTION", timedelta(0))
    events_at = store.events_at

    def slow(*arguments: Any) -> list[EventRow]:
        audited.count("meanwhile")
        return events_at(*arguments)

    audited.count("cup")
    with monkeypatch.context() as slowed, audited.sealer() as sealer:
        slowed.setattr(store, "events_at", slow)
        assert sealer.seal() == 1
    assert audited.findings() == []
    audited.seal()
    assert audited.findings() == []


class HoursAhead(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(hours=26)


def test_a_sealer_whose_clock_is_not_that_of_the_database_signs_nothing_until_it_is(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events recorded after a checkpoint from the future would look as if they were inserted."""
    audited.count("cup")
    with audited.sealer() as sealer:
        with monkeypatch.context() as stepped:
            for module in (store, sealing_module):
                stepped.setattr(module, "datetime", HoursAhead)
            with pytest.raises(ClocksDiffer, match=r"^the clock of this process is 1 day, 2:00:00 ahead of that of"):
                sealer.seal()
            assert sealer.size == 0
        assert sealer.seal() == 1
    audited.count("pot")
    audited.seal()
    assert audited.findings() == []


def test_a_database_that_answers_late_is_not_taken_for_a_wrong_clock() -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    store.compare_clocks(noon, noon.timestamp() + 200, noon + timedelta(seconds=300))
    with pytest.raises(ClocksDiffer, match=r"0:05:00 behind"):
        store.compare_clocks(noon, noon.timestamp() + 600, noon + timedelta(seconds=300))


def write(audited: Audited, name: str) -> None:
    for number in range(25):
        audited.count(f"{name}.{number}")


LOSE = "delete from stored_events where position > 1 returning position"
AGAIN = "select setval(pg_get_serial_sequence('stored_events', 'position'), 1)"


@pytest.mark.parametrize("server", ["", "another/2"], ids=["the same server", "a server that was promoted"])
def test_a_new_event_at_the_position_of_a_lost_one_is_sealed_once_and_the_lost_one_is_named(
    audited: Audited, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    for name in ("cup", "pot", "jug"):
        audited.count(name)
    assert audited.seal() == 3
    audited.by_hand(LOSE)
    audited.by_hand(AGAIN)
    for name in ("mug", "mug"):
        audited.count(name)
    moment = store.moment

    def elsewhere(connection: Any) -> store.ServerMoment:
        return (now := moment(connection))._replace(server=server or now.server)

    monkeypatch.setattr(store, "moment", elsewhere)
    assert audited.seal() == 2
    assert audited.seal() == 0
    assert sealed_positions(audited) == [1, 2, 3, 2, 3]
    assert [finding.kind for finding in audited.findings()] == ["deleted", "deleted"]


def test_the_auditor_can_change_nothing(audited: Audited) -> None:
    with psycopg.connect(audited.stores["counting"].auditor_url, autocommit=True) as connection:
        for statement in (
            "insert into stored_events overriding system value select * from stored_events",
            "delete from outbox",
            "update parked_actions set reason = ''",
        ):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement)
        for table in ("inbox", "idempotency_keys", "parked_messages"):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(f"select from {table}")


@pytest.fixture
def sealed(audited: Audited) -> Audited:
    """Two windows behind the empty one."""
    audited.seal()
    for name in ("cup", "pot"):
        audited.count(name)
        audited.seal()
    return audited


@pytest.mark.parametrize(
    ("leaves", "checkpoint"),
    [
        (lambda line: line, ""),
        (lambda line: line[: len(line) // 2], ""),
        (lambda line: line + line[:9], ""),
        (lambda line: line, "ordersaga/counting\n3\n"),
        (lambda line: "", "ordersaga/counting\n"),
    ],
    ids=["before the checkpoint", "inside a leaf", "between two leaves", "inside the checkpoint", "as it began"],
)
def test_what_a_crash_left_is_healed(sealed: Audited, leaves: Callable[[str], str], checkpoint: str) -> None:
    sealed.count("lid")
    sealed.seal()
    files = sealed.files()
    lines = files.leaves.read_text().splitlines(keepends=True)
    notes = [f"{note.text}\n" for note in read_notes(files.checkpoints)]
    files.leaves.write_text("".join(lines[:-1]) + leaves(lines[-1]))
    files.checkpoints.write_text("".join(notes[:-1]) + checkpoint)
    assert sealed.seal() == 1
    assert sealed_positions(sealed) == [1, 2, 3]
    assert sealed.findings() == []


def test_leaves_behind_the_last_checkpoint_that_the_store_denies_are_not_taken_for_a_crash(sealed: Audited) -> None:
    """Taking the last checkpoint away does not let somebody seal another history in its place."""
    path = sealed.files().checkpoints
    path.write_text("".join(f"{note.text}\n" for note in list(read_notes(path))[:-1]))
    sealed.by_hand("update stored_events set recorded_at = now() where position = 2 returning 1")
    with pytest.raises(LogDamaged, match="no longer has what stands behind the last checkpoint"):
        sealed.seal()


@pytest.mark.parametrize("line", [b"[" * 100_000, b"[]", b""], ids=["deep", "empty", "nothing"])
def test_what_is_no_leaf_behind_the_last_checkpoint_is_damage(sealed: Audited, line: bytes) -> None:
    with sealed.files().leaves.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(LogDamaged, match="ends with what is not a leaf"):
        sealed.seal()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda files: files.checkpoints.write_text(""), "is gone, and the leaves are there"),
        (lambda files: files.checkpoints.unlink(), "is gone, and the leaves are there"),
        (lambda files: files.leaves.unlink(), "has 0 leaves of the 2 that were signed"),
        (lambda files: files.leaves.write_bytes(files.leaves.read_bytes()[:-4]), "has 1 leaves of the 2"),
        (
            lambda files: files.leaves.write_text(files.leaves.read_text().replace("counter", "Counter")),
            "does not hold the 2 leaves that were signed",
        ),
        (
            lambda files: files.checkpoints.write_text(files.checkpoints.read_text().replace("\n2\n", "\n1\n")),
            "does not fit its text",
        ),
    ],
    ids=["emptied", "removed", "leaves removed", "leaves cut", "leaf edited", "checkpoint edited"],
)
def test_a_damaged_log_is_named_and_not_added_to(sealed: Audited, damage: Callable[..., object], said: str) -> None:
    damage(sealed.files())
    with pytest.raises(LogDamaged, match=said):
        sealed.seal()


def test_a_log_that_changes_under_a_running_sealer_is_not_added_to(sealed: Audited) -> None:
    path = sealed.files().checkpoints
    with sealed.sealer() as sealer:
        path.write_text("".join(f"{note.text}\n" for note in list(read_notes(path))[:-1]))
        sealed.count("lid")
        with pytest.raises(LogDamaged, match="was changed by somebody else"):
            sealer.seal()


def test_a_second_sealer_and_one_with_another_key_are_refused(sealed: Audited) -> None:
    with sealed.sealer(), pytest.raises(LogDamaged, match="another process is sealing"):
        sealed.seal()
    stranger = Audited(sealed.stores, sealed.directory)
    with pytest.raises(LogDamaged, match="carries no signature of the key"):
        stranger.seal()


def test_a_log_that_was_begun_before_leaves_had_a_transaction_goes_on(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(Leaf, "line", lambda leaf, line=Leaf.line: line(leaf._replace(xid=None)))
        audited.count("cup")
        audited.seal()
    audited.count("pot")
    audited.seal()
    assert [Leaf.parse(line).xid is None for line in read_leaves(audited.files().leaves)] == [True, False]
    assert audited.findings() == []


def test_a_quiet_store_is_not_signed_again_and_again(sealed: Audited) -> None:
    before = sealed.files().checkpoints.read_bytes()
    assert sealed.seal() == 0
    assert sealed.files().checkpoints.read_bytes() == before


@pytest.fixture
def process(audited: Audited) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the sealer as a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        variables = {
            "COUNTING_DATABASE_URL": audited.stores["counting"].auditor_url,
            "AUDIT_SIGNING_KEY": PEM,
            "AUDIT_CHECKPOINTS": str(audited.directory),
            "AUDIT_SEAL_SECONDS": "0.001",
        }
        command = [sys.executable, "-m", "ordersaga.audit"]
        started.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}))
        return started[-1]

    yield start
    for running in started:
        running.kill()
        running.wait()


def test_a_sealer_killed_at_any_moment_goes_on_without_a_gap(
    audited: Audited, process: Callable[[], subprocess.Popen[bytes]]
) -> None:
    stop = threading.Event()

    def trade() -> None:
        number = 0
        while not stop.is_set():
            audited.count(f"name {number}")
            number += 1

    def grown(size: int) -> bool:
        path = audited.files().leaves
        return path.exists() and path.stat().st_size > size

    writer = threading.Thread(target=trade)
    writer.start()
    try:
        for _ in range(4):
            running = process()
            size = audited.files().leaves.stat().st_size if audited.files().leaves.exists() else 0
            until(lambda size=size: grown(size + random.randrange(2000)), seconds=60, every=0.001)  # type: ignore[misc]
            running.kill()
            running.wait()
    finally:
        stop.set()
        writer.join()
    last = process()
    until(lambda: len(sealed_positions(audited)) >= events(audited), seconds=60, every=0.1)
    last.terminate()
    assert last.wait(20) == 0
    assert len(sealed_positions(audited)) == len(set(sealed_positions(audited))) == events(audited)
    assert audited.findings() == []
