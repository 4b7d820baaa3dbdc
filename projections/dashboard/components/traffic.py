"""The charts of traffic: messages and orders per minute, and the broker's queues."""

from projections.dashboard.components import charts
from projections.dashboard.components.charts import Figure, Series
from projections.monitor.snapshot import Snapshots
from projections.queries.figures import Minute

BROKER_SECONDS = 300
LEAST_MINUTES = 20

MESSAGES = ("Messages", charts.BLUE)
CONFIRMED = ("Orders confirmed", charts.GREEN)
CANCELLED = ("Orders cancelled", charts.AMBER)
ENQUEUED = ("Enqueued per second", charts.BLUE)
DELIVERED = ("Delivered per second", charts.GREEN)
UNACKNOWLEDGED = ("Unacknowledged", charts.AMBER)


def minutes_figure(hour: list[Minute]) -> Figure:
    minutes = since_first_message(hour)
    return charts.figure(
        [each.minute for each in minutes],
        [
            Series(*MESSAGES, [each.messages for each in minutes], "y", bars=True),
            Series(*CONFIRMED, [each.confirmed for each in minutes], "y2", bars=True),
            Series(*CANCELLED, [each.cancelled for each in minutes], "y2", bars=True),
        ],
        {"yaxis": {"domain": [0.55, 1]}, "yaxis2": {"domain": [0, 0.45]}, "xaxis": {"anchor": "y2"}},
    )


def since_first_message(hour: list[Minute]) -> list[Minute]:
    """The hour from its first message on, and at least `LEAST_MINUTES`."""
    first = next((place for place, each in enumerate(hour) if each.messages), len(hour))
    return hour[min(first, max(len(hour) - LEAST_MINUTES, 0)) :]


def broker_figure(snapshots: Snapshots) -> Figure:
    """Every second sample of the last `BROKER_SECONDS`."""
    shown = snapshots.history[-BROKER_SECONDS::2]
    brokers = [snapshot.broker for snapshot in shown]
    return charts.figure(
        [snapshot.at for snapshot in shown],
        [
            Series(*ENQUEUED, [each.enqueued_per_second for each in brokers], unit="/s"),
            Series(*DELIVERED, [each.delivered_per_second for each in brokers], unit="/s"),
            Series(*UNACKNOWLEDGED, [each.unacknowledged for each in brokers], "y2", dotted=True),
        ],
        {
            "yaxis": {"ticksuffix": "/s"},
            "yaxis2": {"overlaying": "y", "side": "right", "showgrid": False, "minallowed": 0},
            "xaxis": {"tickformat": "%H:%M:%S", "nticks": 6},
        },
        margin={"l": 48, "r": 40, "t": 8, "b": 22},
    )
