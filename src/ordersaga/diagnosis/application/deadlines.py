"""Which deadlines has nobody reacted to?"""

from datetime import timedelta

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase

OVERDUE = """
select name, count(*), min(due_at) from deadlines where due_at < now() - %s group by name order by name
"""


def deadlines(asked: AskedDatabase) -> Answers:
    """By name, those that are later than the limit; a failing one is postponed, so it is not late."""
    known = asked.service.reactions.deadlines
    for name, number, oldest in asked.connection.execute(OVERDUE, (timedelta(seconds=asked.terms.limits.overdue),)):
        why = "no worker reacts to them" if name in known else "this code has no reaction to them"
        remedy = f"start a worker of {asked.service.name}" if name in known else "run the code that set them"
        yield DiagnosisFinding(
            "critical",
            "overdue deadlines",
            asked.place,
            f"deadlines of the name {name} are overdue ({number}): {why}",
            f"{remedy}; its log says why it cannot",
            oldest,
        )
