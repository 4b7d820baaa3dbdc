"""The webhook process: sends the webhooks of one read side until SIGTERM or SIGINT."""

import threading

from ordersaga.readside.read_side import ReadSide
from ordersaga.runtime import failpoints
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.logs import configure_logging, log
from ordersaga.runtime.settings import MissingSetting
from ordersaga.runtime.signals import set_by_signal
from ordersaga.webhooks.collecting import Feed
from ordersaga.webhooks.sender import WebhookSender
from ordersaga.webhooks.settings import WebhookSettings


def serve(url: str, read_side: ReadSide, settings: WebhookSettings) -> int:
    """Send the messages and alarms of a read side to its subscriptions. Returns the exit code.

    Raises:
        MissingSetting: a variable of the environment has an invalid value.
        OSError: HEALTH_PORT is taken.
    """
    stop = threading.Event()
    set_by_signal(stop)
    try:
        sender = WebhookSender(url, feed_of(read_side, settings), settings, stop)
    except ValueError as error:
        raise MissingSetting(f"{error}.") from None
    configure_logging(settings, "webhooks")
    failpoints.begin()
    serve_health(settings.health_port, settings.health_host, sender.problems, sender.warnings)
    try:
        sender.run()
    except UnusableDatabase as error:
        log.error(f"webhooks cannot be sent: {error}")
        return 2
    return 0


def feed_of(read_side: ReadSide, settings: WebhookSettings) -> Feed:
    return Feed(read_side.name, read_side.known_contracts, read_side.alarm_changes, settings.webhook_dashboard_url)
