"""Whatever a superuser puts into whichever column of a sealed event, verify names the event."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from psycopg.errors import UniqueViolation

from tests.support.audited import Audited, judged_offline
from tests.support.databases import Databases

STORE = "counting"
NAMES = ("cup", "pot", "lid")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
bigints = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 9)
times = st.datetimes(timezones=st.just(UTC)).map(str) | st.sampled_from(["infinity", "-infinity", "12000-01-01"])
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "originator_id": st.uuids(),
    "originator_version": bigints,
    "topic": texts | st.just("counter.kept"),
    "state": st.binary(max_size=50),
    "position": bigints,
    "xid": (st.integers(0, 2**64 - 1) | st.integers(0, 5000)).map(str),
    "recorded_at": times,
    "correlation_id": st.none() | st.uuids(),
    "causation_id": st.none() | st.uuids(),
    "actor": texts,
    "hash": st.binary(max_size=40),
}
tamperings = st.sampled_from(sorted(COLUMNS)).flatmap(lambda name: st.tuples(st.just(name), COLUMNS[name]))

KEEP = "create table untouched as select * from stored_events"
PUT_BACK = "truncate stored_events; insert into stored_events overriding system value select * from untouched"
EVENT = "select originator_id, originator_version, {column} from untouched order by position offset %s limit 1"
CHANGE = """
update stored_events set {column} = %(value)s
where originator_id = %(id)s and originator_version = %(version)s and {column} is distinct from %(value)s returning 1
"""


@pytest.fixture(scope="module")
def superuser(audited: Audited) -> Iterator[psycopg.Connection[Any]]:
    """With the triggers switched off, and no word from the identity of the positions."""
    with psycopg.connect(audited.stores[STORE].owner_url, autocommit=True) as connection:
        connection.execute("alter table stored_events alter position drop identity")
        connection.execute("set session_replication_role = replica")
        connection.execute(KEEP)
        yield connection


@pytest.fixture(scope="module")
def audited(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """Two streams of several events, sealed in three windows."""
    log: Path = tmp_path_factory.mktemp("log")
    audited = Audited({STORE: databases(STORE)}, log)
    for name in (*NAMES, *NAMES[:2]):
        audited.count(name)
        audited.seal()
    return audited


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 4), tampering=tamperings)
def test_any_change_of_any_column_of_a_sealed_event_is_named(
    audited: Audited, superuser: psycopg.Connection[Any], number: int, tampering: tuple[str, Any]
) -> None:
    column, value = tampering
    superuser.execute(PUT_BACK)
    [(stream, version, _)] = superuser.execute(EVENT.format(column=column), (number,))
    change = CHANGE.format(column=column)
    try:
        changed = superuser.execute(change, {"value": value, "id": stream, "version": version}).fetchone()
    except UniqueViolation:
        changed = None
    assume(changed)
    found = audited.findings()
    named: set[tuple[UUID | None, int | None]] = {(each.stream, each.version) for each in found}
    assert (stream, version) in named
    assert judged_offline(audited.export(), audited.signer.verifier) == found


def test_what_nobody_changed_is_clean(audited: Audited, superuser: psycopg.Connection[Any]) -> None:
    superuser.execute(PUT_BACK)
    assert audited.findings() == []
