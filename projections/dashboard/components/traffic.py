"""The charts of traffic: messages and orders per minute, and the broker's queues."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from projections.dashboard.components import charts
from projections.dashboard.components.charts import Figure, Series
from projections.monitor.snapshot import BrokerStatus, Snapshots
from projections.queries.figures import Minute

BROKER_SECONDS = 300
LONGEST_GAP = timedelta(seconds=25)
"""Of every second sample while nobody looks, which is one each ten seconds; a longer one is a gap."""
LEAST_MINUTES = 20

NOBODY_ASKED = BrokerStatus("processes", None, None, None)
Values = Sequence[float | None]

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
    """Every second sample of the last `BROKER_SECONDS`; where nobody took samples, the lines have a gap."""
    since = datetime.now(UTC) - timedelta(seconds=BROKER_SECONDS)
    shown = [snapshot for snapshot in snapshots.history if snapshot.at >= since][::2]
    times, places = charts.with_gaps([snapshot.at for snapshot in shown], LONGEST_GAP)
    brokers = [NOBODY_ASKED if place is None else shown[place].broker for place in places]
    return broker_lines(
        times,
        [broker.enqueued_per_second for broker in brokers],
        [broker.delivered_per_second for broker in brokers],
        [broker.unacknowledged for broker in brokers],
        {"tickformat": "%H:%M:%S", "nticks": 6},
    )


def broker_lines(
    times: Sequence[datetime], enqueued: Values, delivered: Values, unacknowledged: Values, time_axis: Figure
) -> Figure:
    """Rates on the left axis, and the number of unacknowledged messages on the right one."""
    return charts.figure(
        times,
        [
            Series(*ENQUEUED, enqueued, unit="/s"),
            Series(*DELIVERED, delivered, unit="/s"),
            Series(*UNACKNOWLEDGED, unacknowledged, "y2", dotted=True),
        ],
        {
            "yaxis": {"ticksuffix": "/s"},
            "yaxis2": {"overlaying": "y", "side": "right", "showgrid": False, **charts.counts_axis(unacknowledged)},
            "xaxis": time_axis,
        },
        margin={"l": 52, "r": 44, "t": 8, "b": 26},
    )
