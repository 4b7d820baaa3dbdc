"""The doorbell wakes who listens, and whoever rings it neither waits nor fails, whatever the state of the database."""

import threading
from collections.abc import Iterator

import pytest
from psycopg import Connection

from ordersaga.database.doorbell import CHANNEL, Doorbell, listen
from ordersaga.runtime.sessions import WORKER
from tests.support.databases import Database
from tests.support.wait import until

SESSION = "select pid, xact_start, query_start from pg_stat_activity where application_name = 'counting doorbell'"
END = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'counting doorbell'"


@pytest.fixture
def doorbell(outbox: Database) -> Iterator[Doorbell]:
    doorbell = Doorbell(outbox.url, "counting doorbell", WORKER)
    yield doorbell
    doorbell.close()


@pytest.fixture
def listener(outbox: Database) -> Iterator[Connection[object]]:
    with outbox.connect_as_relay() as connection:
        listen(connection)
        yield connection


def heard(listener: Connection[object], seconds: float = 20) -> bool:
    """Whether a ring arrives in time; takes all that have arrived with it."""
    return [ring.channel for ring in listener.notifies(timeout=seconds, stop_after=1)][:1] == [CHANNEL]


def test_a_ring_after_a_commit_wakes_a_listener_and_no_ring_follows_by_itself(
    outbox: Database, doorbell: Doorbell, listener: Connection[object]
) -> None:
    for _ in range(3):
        doorbell.ring()
        assert heard(listener)
    session = outbox.rows(SESSION)
    assert not heard(listener, seconds=0.3)
    assert outbox.rows(SESSION) == session
    assert [begun for _, begun, _ in session] == [None]


def test_rings_from_many_threads_that_wait_for_no_answer_leave_the_session_usable(
    doorbell: Doorbell, listener: Connection[object]
) -> None:
    def ring_often() -> None:
        for _ in range(500):
            doorbell.ring()

    ringers = [threading.Thread(target=ring_often) for _ in range(4)]
    for ringer in ringers:
        ringer.start()
    for ringer in ringers:
        ringer.join()
    while heard(listener, seconds=0.3):
        pass
    doorbell.ring()
    assert heard(listener)


def test_a_doorbell_whose_session_was_ended_drops_a_ring_without_an_error_and_rings_again(
    outbox: Database, doorbell: Doorbell, listener: Connection[object]
) -> None:
    doorbell.ring()
    assert heard(listener)
    [(before, *_)] = outbox.rows(SESSION)
    outbox.rows(END)
    until(lambda: not outbox.rows(SESSION))
    doorbell.ring()
    assert heard(listener), "it makes up for the rings that it dropped"
    [(after, *_)] = outbox.rows(SESSION)
    assert after != before


def test_a_doorbell_of_a_database_that_does_not_answer_drops_rings_and_closes() -> None:
    doorbell = Doorbell("postgresql://nobody@127.0.0.1:1/none", "counting doorbell", WORKER)
    for _ in range(100):
        doorbell.ring()
    doorbell.close()
    doorbell.ring()
    until(lambda: not any(thread.name == "counting doorbell" for thread in threading.enumerate()))
