"""The variables that a diagnosis reads."""

from ordersaga.relay.settings import RelaySettings


class DiagnosisSettings(RelaySettings):
    """Those of relays, whose retention is checked, and the address of the broker's metrics."""

    broker_metrics_url: str = ""
    """Base URLs of RabbitMQ's plugin rabbitmq_prometheus, one for each node, with spaces between."""
