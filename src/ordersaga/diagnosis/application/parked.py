"""How many messages are parked?"""

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.parked.metrics import count_by_state

OLDEST = "select min(parked_at) from parked_messages"


def parked(asked: AskedDatabase) -> Answers:
    """Messages that wait for a person, for the next attempt or for one before them."""
    found = count_by_state(asked.connection)
    if found:
        [(oldest,)] = asked.connection.execute(OLDEST)
        numbers = ", ".join(f"{number} {state}" for state, number in sorted(found.items()))
        yield DiagnosisFinding(
            "critical" if found.get("dead") else "warning",
            "parked messages",
            asked.place,
            f"messages are parked: {numbers}; later messages of their keys wait behind them",
            "ordersaga parked list, then retry, edit or skip them",
            oldest,
        )
