"""Which groups has a person paused?"""

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.parked import group_pause

KIND = "paused group"


def pauses(asked: AskedDatabase) -> Answers:
    """The pause of the group of this database."""
    if pause := group_pause.current(asked.connection):
        yield DiagnosisFinding(
            "warning",
            KIND,
            asked.place,
            f"the group {asked.service.group} is paused by {pause.actor}: {pause.reason}",
            f"ordersaga resume {asked.service.name}",
            pause.since,
        )
