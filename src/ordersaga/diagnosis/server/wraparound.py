"""How old is the oldest transaction id of each database?"""

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

CRITICAL = 1.6
"""The multiple of the limit beyond which the finding is critical."""
AGES = "select datname::text, greatest(age(datfrozenxid), mxid_age(datminmxid)) from pg_database order by 2 desc"


def wraparound(asked: AskedDatabase) -> Answers:
    """The databases whose age is beyond the limit."""
    limit = asked.terms.limits.transaction_ids
    for database, age in asked.connection.execute(AGES):
        if age > limit:
            yield DiagnosisFinding(
                "critical" if age > CRITICAL * limit else "warning",
                "wraparound",
                asked.server,
                f"the oldest transaction id of the database {database} is {age:,} old; at 2,100,000,000 Postgres "
                "accepts no writes",
                f"vacuum (freeze) in {database}, after ending what keeps its dead rows",
            )
