"""The broker, with what its questions need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pika
from pika.adapters.blocking_connection import BlockingConnection

from ordersaga.broker import topology
from ordersaga.diagnosis.questions import Answered, Answers, Terms
from ordersaga.service import Service

PLACE = "rabbitmq"
NAME = "ordersaga doctor"
CONNECT_SECONDS = 3
BLOCKED_SECONDS = 1
TOPOLOGY = "ordersaga topology"


@dataclass(frozen=True)
class AskedBroker:
    """One connection, and the services whose topology the broker should have."""

    connection: BlockingConnection
    services: Sequence[Service]
    amqp_url: str
    terms: Terms
    answered: Answered


BrokerQuestion = Callable[[AskedBroker], Answers]


def parameters(amqp_url: str) -> list[pika.URLParameters]:
    """Connection parameters with short time limits, because a person waits at a terminal."""
    nodes = topology.parameters(amqp_url, NAME)
    for node in nodes:
        node.socket_timeout = CONNECT_SECONDS
        node.stack_timeout = CONNECT_SECONDS
        node.blocked_connection_timeout = BLOCKED_SECONDS
    return nodes
