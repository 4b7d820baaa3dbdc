"""Of which tables does the planner know nothing?"""

from psycopg.sql import Identifier

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

UNKNOWN = """
select relname::text, n_mod_since_analyze from pg_stat_user_tables
where last_analyze is null and last_autoanalyze is null and n_mod_since_analyze > %s order by 2 desc
"""


def statistics(asked: AskedDatabase) -> Answers:
    """Tables that were never analyzed and have more rows than the limit."""
    for table, rows in asked.connection.execute(UNKNOWN, (asked.terms.limits.unanalyzed_rows,)):
        name = Identifier(table).as_string(asked.connection)
        yield DiagnosisFinding(
            "warning",
            "statistics",
            asked.place,
            f"{rows:,} rows were written to {name} and it was never analyzed: statements may read the whole table",
            f"analyze {name}",
        )
