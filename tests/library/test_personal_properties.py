"""Whatever is sealed comes back as it was, and nothing that was changed on the way comes back at all."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ordersaga.privacy.personal import Sealer, Unreadable
from tests.support.databases import Databases, clones

SEALER = Sealer(b64encode(bytes(range(32))).decode())
people = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
on_postgres = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(all_databases: Databases) -> Iterator[Connection[Any]]:
    for databases in clones(all_databases):
        with databases().connect() as connection:
            yield connection


@on_postgres
@given(people, people, st.binary(max_size=500))
def test_what_is_sealed_comes_back_and_is_never_sealed_the_same_way_twice(
    connection: Connection[Any], subject: str, purpose: str, data: bytes
) -> None:
    first, second = (SEALER.seal(connection, subject, purpose, data) for _ in range(2))
    assert first != second
    assert SEALER.unseal(connection, subject, purpose, first) == data
    assert SEALER.unseal(connection, subject, purpose, second) == data


@on_postgres
@given(st.integers(0, 10_000), st.sampled_from("AZaz09-_.=v \n\0é"))
@example(10_000, "A")
def test_a_sealed_text_with_any_character_changed_added_or_missing_is_refused(
    connection: Connection[Any], place: int, character: str
) -> None:
    text = SEALER.seal(connection, "alice", "test", b"personal")
    place %= len(text)
    for damaged in (
        text[:place] + character + text[place + 1 :],
        text[:place] + character + text[place:],
        text[:place],
        text[:place] + text[place + 1 :],
    ):
        if damaged != text:
            with pytest.raises(Unreadable):
                SEALER.unseal(connection, "alice", "test", damaged)


@on_postgres
@given(st.text(max_size=120))
def test_any_other_text_is_refused_and_never_an_error_of_another_kind(connection: Connection[Any], text: str) -> None:
    with suppress(Unreadable):
        raise AssertionError(SEALER.unseal(connection, "alice", "test", text))
