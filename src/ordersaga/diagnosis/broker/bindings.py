"""Which bindings are missing or superfluous, as the broker's record of them says?"""

from ordersaga.broker.bound_contracts import bound_contracts
from ordersaga.broker.topology import receives
from ordersaga.diagnosis.broker.asked import PLACE, TOPOLOGY, AskedBroker
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers


def bindings(asked: AskedBroker) -> Answers:
    """The contracts that a group receives and is not bound to, and those that it is bound to without a reaction."""
    for status in asked.answered.groups:
        service = next(each for each in asked.services if each.group == status.group)
        bound, wanted = bound_contracts(asked.connection, status.group), set(service.contracts)
        if lacking := sorted(wanted - bound):
            yield DiagnosisFinding(
                "critical",
                "missing binding",
                PLACE,
                f"{status.group} is not bound to {', '.join(lacking)}, to which it has a reaction: it gets none of "
                "these messages",
                f"{TOPOLOGY}, then ordersaga reconcile: it names what was missed",
            )
        if stale := sorted(name for name in bound if not receives(wanted, name)):
            yield DiagnosisFinding(
                "warning",
                "stale binding",
                PLACE,
                f"{status.group} is still bound to {', '.join(stale)}, to which it has no reaction: each such message "
                "is parked",
                f"{TOPOLOGY} --prune, once no worker of the older code runs",
            )
