"""What the read side, its dashboard and the sealer read from the environment beside what every service does."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class ProjectionsSettings(Settings):
    monitored: str = ""
    """Processes that the dashboard asks for /readyz and /metrics: `name=http://host:port name=http://host:port ...`"""
    services: str = ""
    """APIs that the dashboard acts through: `order_service=http://host:port payment_service=...`"""
    broker_metrics_url: str = ""
    """Base URL of RabbitMQ's plugin `rabbitmq_prometheus`; without it the dashboard counts by our own processes."""
    audit_signing_key: str = ""
    """Ed25519 private key as PEM; the sealer signs its checkpoints with it."""
    audit_checkpoints: str = ""
    """Directory of the logs of sealed events, outside every database."""
    audit_seal_seconds: float = Field(default=5, gt=0)
