"""Are there messages in the queue `unrouted` of a version before this one?"""

from ordersaga.broker.group_status import queue_status
from ordersaga.broker.topology import NOT_FOUND, suppress_refusal
from ordersaga.diagnosis.broker.asked import PLACE, AskedBroker
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers

UNROUTED = "unrouted"


def unrouted(asked: AskedBroker) -> Answers:
    """This version keeps messages that no queue takes in the service's database, so nobody looks there."""
    with suppress_refusal(asked.connection, NOT_FOUND) as channel:
        number = queue_status(channel, UNROUTED).ready
        if number:
            what = f"messages are in the queue {UNROUTED} ({number}), which no process reads"
            remedy = "look at them, publish them again (ordersaga relay republish), and delete the queue"
            yield DiagnosisFinding("warning", "unrouted messages", PLACE, what, remedy)
