"""Which prepared transactions has nobody ended?"""

from datetime import timedelta

from psycopg.sql import Literal

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

PREPARED = """
select gid, prepared, owner::text from pg_prepared_xacts
where database = current_database() and prepared < clock_timestamp() - %s order by prepared
"""


def prepared_transactions(asked: AskedDatabase) -> Answers:
    """Those beyond the limit; they belong to no session, so they do not end with one."""
    for gid, since, owner in asked.connection.execute(PREPARED, (timedelta(seconds=asked.terms.limits.transaction),)):
        name = Literal(gid).as_string(asked.connection)
        yield DiagnosisFinding(
            "critical",
            "prepared transaction",
            asked.place,
            f"the transaction {name} of {owner} is prepared and neither committed nor rolled back: it keeps its locks "
            "for ever, and no dead row since its begin can be removed",
            f"in this database: rollback prepared {name}, or commit prepared {name}",
            since,
        )
