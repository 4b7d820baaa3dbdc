"""Does only one of the servers that a URL names accept writes?"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.sessions import DIAGNOSIS, connect

PRIMARY = """
select pg_postmaster_start_time(), ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
where not pg_is_in_recovery()
"""

ADDRESS = ("host", "hostaddr", "port")
"""The parameters of libpq that may be lists, with an entry for each server."""


class Primary(NamedTuple):
    """A server that accepts writes."""

    started: datetime
    """Two addresses may lead to one server."""
    timeline: int
    address: str


def primaries(place: str, url: str) -> Answers:
    """Two primaries behind one URL: the former one has come back after a failover. Servers that are away are none."""
    found = {each.started: each for each in answering(url)}.values()
    if len(found) < 2:
        return
    named = ", ".join(f"{each.address} (timeline {each.timeline})" for each in found)
    oldest = min(found, key=lambda each: each.timeline).address
    yield DiagnosisFinding(
        "critical",
        "split brain",
        place,
        f"{len(found)} servers of its URL accept writes, and each has a history of its own: {named}",
        f"stop {oldest} at once; let it follow the other with pg_rewind or a new copy before it starts again",
    )


def answering(url: str) -> Iterator[Primary]:
    """The primaries that answer. A URL of one server is not asked again."""
    servers = servers_of(url)
    for server in servers if len(servers) > 1 else ():
        with (
            suppress(psycopg.Error, UnusableDatabase),
            connect(make_conninfo(url, **server), "ordersaga doctor", DIAGNOSIS) as connection,
        ):
            for started, timeline in connection.execute(PRIMARY).fetchall():
                address = f"{server['host'] or server['hostaddr']}:{connection.info.port}"
                yield Primary(started, timeline, address)


def servers_of(url: str) -> list[dict[str, Any]]:
    """The parameters that lead to each server of a URL. Where there is a `hostaddr`, `host` is only its name."""
    given = conninfo_to_dict(url)
    lists = [str(given.get(name) or "").split(",") for name in ADDRESS]
    servers = max(map(len, lists))
    columns = [each if len(each) > 1 else each * servers for each in lists]
    rows = zip(*columns, strict=True)
    return [{**dict(zip(ADDRESS, row, strict=True)), "target_session_attrs": "any"} for row in rows]
