"""The questions to RabbitMQ: over AMQP, and to the metrics of its plugin."""

from collections.abc import Sequence
from contextlib import closing

from pika.exceptions import AMQPError, ChannelClosedByBroker

from ordersaga.broker.connecting import connect
from ordersaga.broker.topology import ACCESS_REFUSED
from ordersaga.diagnosis.broker import arguments, bindings, blocked, exchanges, metrics, nodes, queues, unrouted
from ordersaga.diagnosis.broker.asked import PLACE, AskedBroker, BrokerQuestion, parameters
from ordersaga.diagnosis.findings import DiagnosisFinding, Unseen
from ordersaga.diagnosis.questions import Answered, Answers, Terms
from ordersaga.service import Service

QUESTIONS: tuple[BrokerQuestion, ...] = (
    exchanges.exchanges,
    queues.queues,
    bindings.bindings,
    arguments.arguments,
    unrouted.unrouted,
    blocked.blocked_publishers,
    nodes.nodes,
)


def ask_broker(services: Sequence[Service], amqp_url: str, terms: Terms, answered: Answered) -> None:
    """Ask everything that AMQP can tell."""
    try:
        with closing(connect(parameters(amqp_url))) as connection:
            asked = AskedBroker(connection, services, amqp_url, terms, answered)
            for question in QUESTIONS:
                answered.asking = f"about {question.__name__.replace('_', ' ')}"
                answered.take(answers_of(question, asked))
    except (AMQPError, OSError) as error:
        remedy = "start it, or correct AMQP_URL and the permissions of its user"
        answered.take([DiagnosisFinding("critical", "does not answer", PLACE, f"the broker: {error!r}", remedy)])


def answers_of(question: BrokerQuestion, asked: AskedBroker) -> Answers:
    """The answers; what the user may not ask is named."""
    try:
        yield from question(asked)
    except ChannelClosedByBroker as error:
        if error.reply_code != ACCESS_REFUSED:
            raise
        remedy = "ask as the user who declares the topology (AMQP_URL)"
        yield Unseen(PLACE, f"{question.__name__.replace('_', ' ')} ({error.reply_text})", remedy)


def ask_metrics(services: Sequence[Service], urls: str, terms: Terms, answered: Answered) -> None:
    """Ask the broker's metrics."""
    answered.asking = "for its metrics"
    answered.take(metrics.metrics(urls, services, terms))
