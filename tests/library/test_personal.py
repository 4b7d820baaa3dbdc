"""Personal data is sealed under a key per person; once the key is erased, nobody reads it again."""

import fcntl
import os
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from ordersaga.privacy.erasure import Erasure, Erasures, erase, erase_again
from ordersaga.privacy.personal import Sealer, Unreadable
from tests.support.databases import Database, Databases
from tests.support.wait import until

WRAPPING_KEY = b64encode(b"k" * 32).decode()
NAME = "Adélaïde Lovelace-Byron".encode()


@pytest.fixture
def store(database: Databases) -> Database:
    return database()


@pytest.fixture
def erasures(tmp_path: Path) -> Erasures:
    return Erasures(tmp_path / "erasures.jsonl")


@pytest.fixture(params=["", WRAPPING_KEY], ids=["keys as they are", "keys wrapped"])
def sealer(request: pytest.FixtureRequest) -> Sealer:
    return Sealer(request.param)


def test_a_person_has_one_key_and_another_person_another(store: Database, sealer: Sealer) -> None:
    with store.connect() as connection:
        for subject in ("alice", "alice", "bob"):
            assert NAME.hex() not in sealer.seal(connection, subject, "test", NAME)
    assert store.rows("select subject, generation from personal_keys order by subject") == [("alice", 1), ("bob", 1)]


def test_an_erased_key_reads_nothing_and_new_data_gets_a_new_key(
    store: Database, sealer: Sealer, erasures: Erasures
) -> None:
    with store.connect() as connection:
        old = sealer.seal(connection, "alice", "test", NAME)
        other = sealer.seal(connection, "bob", "test", NAME)
        assert len(erase(connection, "alice", "olga", "asked for it", erasures).keys) == 1
        new = sealer.seal(connection, "alice", "test", NAME)
        assert sealer.unseal(connection, "alice", "test", old) is None
        assert sealer.unseal(connection, "alice", "test", new) == NAME
        assert sealer.unseal(connection, "bob", "test", other) == NAME
    kept = "select generation, key is null, erased_by, reason from personal_keys where subject = 'alice' order by 1"
    assert store.rows(kept) == [(1, True, "olga", "asked for it"), (2, False, None, None)]


def test_an_erasure_repeated_changes_nothing(store: Database, erasures: Erasures) -> None:
    with store.connect() as connection:
        Sealer().seal(connection, "alice", "test", NAME)
        erase(connection, "alice", "olga", "asked for it", erasures)
        before = store.rows("select * from personal_keys")
        assert erase(connection, "alice", "mallory", "again", erasures).keys == []
    assert store.rows("select * from personal_keys") == before
    assert [erasure.actor for erasure in erasures] == ["olga"]


@pytest.mark.parametrize(
    ("sealer", "subject", "purpose", "why"),
    [
        (Sealer(WRAPPING_KEY), "bob", "test", "not a key of this person"),
        (Sealer(WRAPPING_KEY), "alice", "other", "moved from another place"),
        (Sealer(), "alice", "test", "set PERSONAL_KEY_ENCRYPTION_KEY"),
        (Sealer(b64encode(b"other" * 6 + b"..").decode()), "alice", "test", "is not the one"),
    ],
    ids=["another person", "another purpose", "without the wrapping key", "with another wrapping key"],
)
def test_what_is_sealed_is_refused_to(store: Database, sealer: Sealer, subject: str, purpose: str, why: str) -> None:
    with store.connect() as connection:
        Sealer(WRAPPING_KEY).seal(connection, "bob", "test", NAME)
        text = Sealer(WRAPPING_KEY).seal(connection, "alice", "test", NAME)
        with pytest.raises(Unreadable, match=why):
            sealer.unseal(connection, subject, purpose, text)


def test_a_text_moved_under_another_persons_key_is_refused(store: Database, sealer: Sealer) -> None:
    with store.connect() as connection:
        hers, his = (sealer.seal(connection, subject, "test", NAME) for subject in ("alice", "bob"))
        moved = ".".join((*his.split(".")[:2], hers.split(".")[2]))
        with pytest.raises(Unreadable, match="moved from another place"):
            sealer.unseal(connection, "bob", "test", moved)


def test_keys_kept_before_there_was_a_wrapping_key_are_still_read(store: Database) -> None:
    with store.connect() as connection:
        text = Sealer().seal(connection, "alice", "test", NAME)
        assert Sealer(WRAPPING_KEY).unseal(connection, "alice", "test", text) == NAME


def test_a_wrapped_key_is_not_in_the_database(store: Database) -> None:
    with store.connect() as connection:
        Sealer(WRAPPING_KEY).seal(connection, "alice", "test", NAME)
    assert store.rows("select length(key) from personal_keys") == [(40,)]


def test_many_first_data_of_one_person_at_once_make_one_key(store: Database) -> None:
    sealer, together = Sealer(), threading.Barrier(8)

    def seal(_: int) -> str:
        with store.connect() as connection, connection.transaction():
            connection.execute("select 1")
            together.wait()
            return sealer.seal(connection, "alice", "test", NAME)

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(seal, range(8)))
    assert store.rows("select count(*) from personal_keys") == [(1,)]
    with store.connect() as connection:
        assert [sealer.unseal(connection, "alice", "test", text) for text in texts] == [NAME] * 8


def test_who_finds_the_key_of_another_that_is_rolled_back_makes_one(store: Database) -> None:
    sealer = Sealer()
    with store.connect() as first, ThreadPoolExecutor(1) as thread, store.connect() as second:
        with first.transaction(force_rollback=True):
            sealer.seal(first, "alice", "test", NAME)
            waiting = thread.submit(sealer.seal, second, "alice", "test", NAME)
            until(lambda: store.rows("select 1 from pg_locks where not granted"))
        assert sealer.unseal(first, "alice", "test", waiting.result()) == NAME


def test_data_sealed_while_the_key_is_being_erased_is_erased_with_it(store: Database, erasures: Erasures) -> None:
    sealer = Sealer()
    with store.connect() as writer, store.connect() as operator:
        sealer.seal(writer, "alice", "test", b"earlier")
        with writer.transaction():
            text = sealer.seal(writer, "alice", "test", NAME)
            erase(operator, "alice", "olga", "asked for it", erasures)
        assert sealer.unseal(writer, "alice", "test", text) is None


@pytest.mark.parametrize(
    "change",
    [
        "update personal_keys set key = '\\x00', erased_at = null, erased_by = null, reason = null",
        "update personal_keys set key = '\\x00' where key is not null",
        "update personal_keys set reason = 'another' where key is null",
    ],
    ids=["bring back", "change", "another reason"],
)
def test_nobody_brings_a_key_back_or_changes_one(store: Database, erasures: Erasures, change: str) -> None:
    with store.connect() as service, psycopg.connect(store.owner_url, autocommit=True) as owner:
        for subject in ("alice", "bob"):
            Sealer().seal(service, subject, "test", NAME)
        erase(service, "alice", "olga", "asked for it", erasures)
        for connection in (service, owner):
            with pytest.raises(InsufficientPrivilege, match="erased once and otherwise never changed"):
                connection.execute(change)


def test_a_key_is_erased_only_with_who_and_why(store: Database) -> None:
    with store.connect() as service:
        Sealer().seal(service, "alice", "test", NAME)
        with pytest.raises(CheckViolation):
            service.execute("update personal_keys set key = null, erased_at = now(), erased_by = 'olga'")


def test_keys_that_come_back_with_a_backup_are_erased_again_and_no_others(store: Database, erasures: Erasures) -> None:
    sealer = Sealer()
    with store.connect() as connection, psycopg.connect(store.owner_url, autocommit=True) as owner:
        old = sealer.seal(connection, "alice", "test", NAME)
        backup = owner.execute("select * from personal_keys").fetchall()
        erase(connection, "alice", "olga", "asked for it", erasures)
        owner.execute("alter table personal_keys disable trigger all")
        owner.execute("delete from personal_keys")
        for row in backup:
            owner.execute("insert into personal_keys values (%s, %s, %s, %s, %s, %s, %s, %s)", row)
        owner.execute("alter table personal_keys enable trigger all")
        later = sealer.seal(connection, "bob", "test", NAME)
        assert sealer.unseal(connection, "alice", "test", old) == NAME
        assert [erasure.subject for erasure in erase_again(connection, list(erasures))] == ["alice"]
        assert sealer.unseal(connection, "alice", "test", old) is None
        assert sealer.unseal(connection, "bob", "test", later) == NAME
        assert erase_again(connection, list(erasures)) == []
    assert store.rows("select erased_by, reason from personal_keys where subject = 'alice'") == [
        ("olga", "asked for it")
    ]


def test_an_erasure_that_cannot_be_listed_does_not_happen(store: Database, tmp_path: Path) -> None:
    with store.connect() as connection:
        text = Sealer().seal(connection, "alice", "test", NAME)
        with pytest.raises(FileNotFoundError):
            erase(connection, "alice", "olga", "asked for it", Erasures(tmp_path / "nowhere" / "list"))
        assert Sealer().unseal(connection, "alice", "test", text) == NAME


def test_an_erasure_waits_until_another_machine_has_listed_its_own(erasures: Erasures) -> None:
    assert erasures.path
    with erasures.path.open("w") as other, ThreadPoolExecutor(1) as pool:
        fcntl.flock(other, fcntl.LOCK_EX)
        listed = pool.submit(erasures.append, Erasure("alice", [], "olga", "asked for it", datetime.now(UTC)))
        until(lambda: is_awaited(other.fileno()))
        assert not listed.done()
        assert erasures.path.read_text() == ""
        fcntl.flock(other, fcntl.LOCK_UN)
        listed.result()
    assert [erasure.subject for erasure in erasures] == ["alice"]


def is_awaited(file: int) -> bool:
    """Whether somebody waits for the lock of an open file."""
    inode = f":{os.fstat(file).st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())
