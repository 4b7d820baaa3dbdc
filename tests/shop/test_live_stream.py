"""The live stream of events: nothing is missed, nothing comes twice, and nobody holds up anybody else."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ordersaga.http.tokens import issue
from tests.conftest import AnyServers
from tests.shop.support.streams import listening, write
from tests.support.api import Api, is_ready, keys, running, token
from tests.support.databases import Databases
from tests.support.wait import until

AUDITOR = token("auditor", "aud")


@pytest.fixture(scope="module")
def api(servers: AnyServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    databases, directory = Databases(servers.postgres), tmp_path_factory.mktemp("api")
    try:
        with running(databases("projections"), directory, HTTP_STREAMS="32") as api:
            yield api
    finally:
        databases.drop_clones()


def positions(api: Api, after: int = 0) -> list[int]:
    found = api.database.rows("select position from event_log where position > %s order by position", [after])
    return [position for (position,) in found]


def test_two_projectors_write_while_a_client_loses_its_connection_and_misses_nothing(api: Api) -> None:
    with listening(api, AUDITOR) as stream:
        start = last = stream.last_id
    heard: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, api.database, 200, size) for size in (1, 3)]
        while len(heard) < 800:
            with listening(api, AUDITOR, **{"Last-Event-ID": str(last)}) as stream:
                heard += [sent.id for sent in stream.take(min(97, 800 - len(heard)))]
                last = stream.last_id
        for writer in writers:
            writer.result()
    assert heard == positions(api, start)


def test_an_event_carries_its_position_contract_and_row(api: Api) -> None:
    with listening(api, AUDITOR) as stream:
        write(api.database, 1)
        [sent] = stream.take(1)
    shown = api.call("GET", "/api/events?limit=1", AUDITOR).json()["events"][0]
    assert (sent.id, sent.event, sent.data) == (shown["position"], shown["contract"], shown)


def test_a_stream_begins_now_or_behind_a_position_and_the_browsers_own_header_wins(api: Api) -> None:
    write(api.database, 5)
    *_, before, last = positions(api)
    with listening(api, AUDITOR) as stream:
        assert stream.last_id == last
    with listening(api, AUDITOR, f"?after={before}") as stream:
        assert stream.take(1)[0].id == last
    with listening(api, AUDITOR, "?after=0", **{"Last-Event-ID": str(before)}) as stream:
        assert stream.take(1)[0].id == last
    with listening(api, AUDITOR, "?after=999999999999") as stream:
        assert stream.last_id == last


def test_a_filter_lets_through_what_it_names_of_past_and_present(api: Api) -> None:
    [*_, start] = positions(api)
    write(api.database, 3, key="cup")
    write(api.database, 3, key="pot")
    with listening(api, AUDITOR, f"?after={start}&key=pot&contract=orders.product_priced.v1") as stream:
        heard = stream.take(3)
        write(api.database, 3, key="cup")
        write(api.database, 2, key="pot")
        heard += stream.take(2)
    assert {sent.data["key"] for sent in heard if sent.data} == {"pot"}
    assert len({sent.id for sent in heard}) == 5


def test_a_client_beyond_the_places_is_told_to_come_back_and_a_place_that_is_left_is_free(
    database: Databases, tmp_path: Path
) -> None:
    with running(database("projections"), tmp_path, HTTP_STREAMS="2") as api:
        with listening(api, AUDITOR), listening(api, AUDITOR):
            refused = api.call("GET", "/api/events/stream", AUDITOR)
            assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
            assert int(refused.headers["Retry-After"]) > 0
            assert api.call("GET", "/api/events", AUDITOR).status_code == 200
        until(lambda: is_free(api))


def is_free(api: Api) -> bool:
    try:
        with listening(api, AUDITOR):
            return True
    except AssertionError:
        return False


def test_a_client_that_does_not_read_is_let_go_while_others_hear_everything(api: Api) -> None:
    address = urlsplit(api.url)
    lines = ("GET /api/events/stream HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {AUDITOR}", "", "")
    with socket.socket() as slow, listening(api, AUDITOR) as stream, ThreadPoolExecutor(1) as pool:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.hostname, address.port))
        slow.sendall("\r\n".join(lines).encode())
        assert slow.recv(12) == b"HTTP/1.1 200"
        writing = pool.submit(write, api.database, 10, 400, text="x" * 3500)
        assert len({sent.id for sent in stream.take(4000)}) == 4000
        writing.result()
        assert until(lambda: has_ended(slow))


def has_ended(connection: socket.socket) -> bool:
    """Read to the end of what was sent before the other side hung up."""
    try:
        return connection.recv(1 << 20) == b""
    except ConnectionResetError:
        return True


def test_a_customer_hears_nothing(api: Api) -> None:
    assert api.call("GET", "/api/events/stream", token()).status_code == 403
    assert api.call("GET", "/api/events/stream").status_code == 401
    assert api.call("GET", "/api/events/stream", AUDITOR, {"Last-Event-ID": "x"}).status_code == 400


def test_streams_end_with_the_process_at_once(database: Databases, tmp_path: Path) -> None:
    with running(database("projections"), tmp_path, HTTP_STREAMS="1") as api, listening(api, AUDITOR) as stream:
        api.process.send_signal(signal.SIGTERM)
        assert list(stream.blocks()) == []
        until(lambda: api.process.poll() is not None, seconds=10)
        assert api.process.returncode == 0


def test_a_database_that_comes_back_brings_the_events_on(api: Api) -> None:
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and application_name like '%%api'"
    with listening(api, AUDITOR) as stream:
        write(api.database, 1)
        stream.take(1)
        api.database.rows(cut, [api.database.name])
        write(api.database, 1)
        assert stream.take(1)
    until(lambda: is_ready(api))


def test_a_stream_ends_with_its_token(api: Api) -> None:
    brief = issue(keys()[0], "auditor", "aud", timedelta(seconds=2))
    with listening(api, brief) as stream:
        assert list(stream.blocks()) == []


def test_without_places_there_are_no_streams(database: Databases, tmp_path: Path) -> None:
    with running(database("projections"), tmp_path) as api:
        refused: requests.Response = api.call("GET", "/api/events/stream", AUDITOR)
        assert refused.status_code == 503
        assert "HTTP_STREAMS" in refused.json()["detail"]
