"""The variables that the read side and its dashboard read beside those of every process."""

from pydantic import Field

from ordersaga.webhooks.settings import WebhookSettings


class ProjectionsSettings(WebhookSettings):
    monitored: str = ""
    """Processes that the dashboard asks for /readyz and /metrics: `name=http://host:port name=http://host:port ...`"""
    services: str = ""
    """APIs that the dashboard acts through: `order_service=http://host:port payment_service=...`"""
    broker_metrics_url: str = ""
    """Base URL of RabbitMQ's plugin `rabbitmq_prometheus`, of a cluster those of all nodes with spaces between; without
    it the dashboard counts by our own processes."""
    alarm_relay_lag_seconds: float = Field(default=10.0, gt=0)
    """A relay that is further behind is an alarm."""
    alarm_waiting_messages: int = Field(default=1_000, gt=0)
    """More messages in the queues of one group are an alarm ..."""
    alarm_waiting_seconds: float = Field(default=30.0, gt=0)
    """... if its workers take more than this to receive them."""
    trace_url: str = ""
    """Address of one trace in the viewer of traces, with `{trace_id}` in it; without it pages show the id alone."""
    audit_checkpoints: str = ""
    """Directory of the logs of sealed events, outside every database."""
