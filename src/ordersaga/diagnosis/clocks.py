"""The difference between the clock of this machine and that of a server."""

from datetime import datetime

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase, Terms

NOW = "select clock_timestamp()"


def server_clock(asked: AskedDatabase) -> Answers:
    """The clock of a Postgres server."""
    before = asked.terms.clock()
    [(told,)] = asked.connection.execute(NOW)
    return compare(asked.server, before, told, asked.terms)


def compare(place: str, before: datetime, told: datetime, terms: Terms) -> Answers:
    """A finding when the difference is beyond the limit, even without the time that the question took.

    Args:
        before: the time of this machine when the server was asked.
        told: what the server has just answered.
    """
    after = terms.clock()
    ahead = max((told - after).total_seconds(), (before - told).total_seconds())
    if ahead > terms.limits.clock:
        side = "ahead of" if told > after else "behind"
        yield DiagnosisFinding(
            "warning",
            "clock",
            place,
            f"its clock is {ahead:.1f} s {side} the clock of this machine: deadlines, ages and tokens are judged by "
            "both",
            "let NTP set both clocks (timedatectl, chronyc tracking)",
        )
