"""Does only one of the servers that a URL names accept writes?"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers
from ordersaga.runtime.sessions import DIAGNOSIS, connect

TIMELINE = """
select case when not pg_is_in_recovery()
    then ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int end
"""


def primaries(place: str, url: str) -> Answers:
    """Two primaries behind one URL: the former one has come back after a failover. Servers that are away are none."""
    found = [(server, timeline) for server, timeline in timelines(url) if timeline is not None]
    if len(found) < 2:
        return
    named = ", ".join(f"{server} (timeline {timeline})" for server, timeline in found)
    oldest = min(found, key=lambda each: each[1])[0]
    yield DiagnosisFinding(
        "critical",
        "split brain",
        place,
        f"{len(found)} servers of its URL accept writes, and each has a history of its own: {named}",
        f"stop {oldest} at once; let it follow the other with pg_rewind or a new copy before it starts again",
    )


def timelines(url: str) -> Iterator[tuple[str, int | None]]:
    """Each server that answers, with its timeline; None for a standby. A URL of one server has none."""
    given = conninfo_to_dict(url)
    hosts, ports = (str(given.get(name) or "").split(",") for name in ("host", "port"))
    for host, port in zip_longest(hosts, ports, fillvalue=ports[0]) if len(hosts) > 1 else ():
        try:
            yield f"{host}:{port}", timeline({**given, "host": host, "port": port, "target_session_attrs": "any"})
        except psycopg.Error:
            continue


def timeline(parameters: Mapping[str, Any]) -> int | None:
    with connect(make_conninfo(**parameters), "ordersaga doctor", DIAGNOSIS) as connection:
        [(number,)] = connection.execute(TIMELINE)
    return None if number is None else int(number)
