"""Which indexes cannot be used?"""

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

INVALID = """
select i.indexrelid::regclass::text, i.indrelid::regclass::text from pg_index i
where not i.indisvalid and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
"""


def indexes(asked: AskedDatabase) -> Answers:
    """Those that a failed `create index concurrently` has left, but none that is being created now."""
    for index, table in asked.connection.execute(INVALID):
        yield DiagnosisFinding(
            "warning",
            "invalid index",
            asked.place,
            f"the index {index} of {table} is invalid: no statement uses it, and every write still keeps it",
            f"reindex index concurrently {index}; or drop index concurrently {index}",
        )
