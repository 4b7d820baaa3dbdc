"""The variables that a diagnosis reads."""

from ordersaga.relay.settings import RelaySettings


class DiagnosisSettings(RelaySettings):
    """Beside the URLs of the servers."""

    broker_metrics_url: str = ""
    """Base URLs of RabbitMQ's plugin rabbitmq_prometheus, one for each node, with spaces between."""
