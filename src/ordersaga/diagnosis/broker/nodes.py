"""Which nodes of a cluster do not answer?"""

from pika.exceptions import AMQPError

from ordersaga.broker.connecting import connect
from ordersaga.diagnosis.broker.asked import PLACE, AskedBroker, parameters
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers


def nodes(asked: AskedBroker) -> Answers:
    """Those of several nodes in AMQP_URL that take no connection; a single node is asked by the other questions."""
    found = parameters(asked.amqp_url)
    for node in found if len(found) > 1 else ():
        try:
            connect(node).close()
        except (AMQPError, OSError) as error:
            what = f"the node {node.host}:{node.port} of RabbitMQ does not answer: {error!r}"
            remedy = "start it: while a majority of the nodes is away, quorum queues take no messages"
            yield DiagnosisFinding("warning", "does not answer", PLACE, what, remedy)
