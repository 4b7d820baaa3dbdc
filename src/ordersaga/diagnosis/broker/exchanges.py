"""Which exchanges are missing?"""

from ordersaga.broker.topology import DEAD_LETTERS, EVENTS, exchange_exists, side_exchange_of
from ordersaga.diagnosis.broker.asked import PLACE, TOPOLOGY, AskedBroker
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers


def exchanges(asked: AskedBroker) -> Answers:
    """Those that the topology of the services declares, and the broker does not have."""
    for name in (EVENTS, DEAD_LETTERS, *(side_exchange_of(service.group) for service in asked.services)):
        if not exchange_exists(asked.connection, name):
            what = f"the exchange {name} is missing"
            yield DiagnosisFinding("critical", "missing exchange", PLACE, what, TOPOLOGY)
