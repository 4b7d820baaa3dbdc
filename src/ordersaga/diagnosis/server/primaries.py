"""Does only one of the servers that a URL names accept writes?"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import zip_longest
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
    given = conninfo_to_dict(url)
    hosts, ports = (str(given.get(name) or "").split(",") for name in ("host", "port"))
    for host, port in zip_longest(hosts, ports, fillvalue=ports[0]) if len(hosts) > 1 else ():
        parameters: dict[str, Any] = {**given, "host": host, "port": port, "target_session_attrs": "any"}
        with (
            suppress(psycopg.Error, UnusableDatabase),
            connect(make_conninfo(**parameters), "ordersaga doctor", DIAGNOSIS) as connection,
        ):
            for started, timeline in connection.execute(PRIMARY).fetchall():
                yield Primary(started, timeline, f"{host}:{port}")
