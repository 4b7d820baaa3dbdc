"""What may this account not see of other sessions?"""

from psycopg.sql import Identifier

from ordersaga.diagnosis.findings import Unseen
from ordersaga.diagnosis.party import HIDDEN
from ordersaga.diagnosis.questions import Answers, AskedDatabase

OTHERS = """
select count(*), string_agg(distinct usename::text, ', ') from pg_stat_activity
where datname = current_database() and query = %s
"""


def visibility(asked: AskedDatabase) -> Answers:
    """The sessions of other roles, whose state, age and statement are hidden without a right."""
    row = asked.connection.execute(OTHERS, (HIDDEN,)).fetchone()
    if row and row[0]:
        user = Identifier(asked.connection.info.user).as_string(asked.connection)
        yield Unseen(
            asked.place,
            f"transactions, ages, addresses and statements of the sessions of {row[1]} ({row[0]})",
            f"grant pg_read_all_stats to {user}",
        )
