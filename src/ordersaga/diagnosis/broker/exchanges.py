"""Which exchanges are missing?"""

from ordersaga.broker.topology import DEAD_LETTERS, EVENTS, NOT_FOUND, side_exchange_of, suppress_refusal
from ordersaga.diagnosis.broker.asked import PLACE, TOPOLOGY, AskedBroker
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers


def exchanges(asked: AskedBroker) -> Answers:
    """Those that the topology of the services declares, and the broker does not have."""
    for name in (EVENTS, DEAD_LETTERS, *(side_exchange_of(service.group) for service in asked.services)):
        if not exists(asked, name):
            what = f"the exchange {name} is missing"
            yield DiagnosisFinding("critical", "missing exchange", PLACE, what, TOPOLOGY)


def exists(asked: AskedBroker, exchange: str) -> bool:
    with suppress_refusal(asked.connection, NOT_FOUND) as channel:
        channel.exchange_declare(exchange, passive=True)
        return True
    return False
