"""How near are a server and its roles to the most connections that they may have?"""

from collections.abc import Iterator
from typing import Any

from psycopg.sql import Identifier

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

OF_CLIENTS = "usename is not null and coalesce(backend_type, 'client backend') = 'client backend'"
"""Without the right to see it, the type of a session is null."""
SERVER = f"""
select 'the server', count(*),
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    'raise max_connections, which takes a restart'
from pg_stat_activity where {OF_CLIENTS}
"""  # noqa: S608 - constants
ROLES = f"""
select 'the role ' || rolname, count(*), rolconnlimit, rolname::text
from pg_stat_activity join pg_roles on rolname = usename
where {OF_CLIENTS} and rolconnlimit >= 0 and not rolsuper group by rolname, rolconnlimit order by rolname
"""  # noqa: S608 - constants
DATABASES = f"""
select 'the database ' || d.datname, count(*), datconnlimit, d.datname::text
from pg_stat_activity join pg_database d using (datname)
where {OF_CLIENTS} and datconnlimit >= 0 group by d.datname, datconnlimit order by d.datname
"""  # noqa: S608 - constants
WHO = f"""
select string_agg(name || ': ' || number, ', ' order by number desc) from (
    select coalesce(nullif(application_name, ''), 'without a name') as name, count(*) as number
    from pg_stat_activity where {OF_CLIENTS} group by 1 order by 2 desc limit 3) as most
"""  # noqa: S608 - constants


def connections(asked: AskedDatabase) -> Answers:
    """The server, its roles and its databases whose share is beyond the limit."""
    for whose, number, most, remedy in rows(asked):
        if number >= most * asked.terms.limits.connections:
            [(who,)] = asked.connection.execute(WHO)
            yield DiagnosisFinding(
                "critical" if number >= most else "warning",
                "connections",
                asked.server,
                f"{number} of the {most} connections of {whose} are taken; most by {who}",
                f"end processes that are not needed, or {remedy}",
            )


def rows(asked: AskedDatabase) -> Iterator[tuple[Any, ...]]:
    yield from asked.connection.execute(SERVER)
    for kind, query in (("role", ROLES), ("database", DATABASES)):
        for whose, number, most, name in asked.connection.execute(query.encode()):
            quoted = Identifier(name).as_string(asked.connection)
            yield whose, number, most, f"alter {kind} {quoted} connection limit N"
