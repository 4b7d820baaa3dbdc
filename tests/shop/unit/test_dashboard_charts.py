"""Charts count in whole numbers, leave out what nobody recorded, and show the range that the address names."""

from datetime import UTC, datetime, timedelta

from projections.dashboard.components import charts, history, ranges, traffic
from projections.dashboard.components.history import CHARTS
from projections.monitor.snapshot import BrokerStatus, Snapshot, Snapshots
from projections.queries.history import SPANS, FigurePoint, Traffic

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
QUEUES = next(chart for chart in CHARTS if chart.figure == "waiting")


def test_the_axis_of_a_count_has_whole_numbers_whatever_is_counted() -> None:
    for top, step in ((0, 1), (1, 1), (3, 1), (13.31, 5), (39, 10), (53, 20), (1_000, 500)):
        axis = charts.counts_axis([None, top])
        assert (axis["dtick"], axis["tick0"]) == (step, 0), top
        assert axis["range"][1] >= top
        assert axis["range"][1] / step < charts.TICKS + 1.2


def test_a_line_ends_where_nobody_took_samples() -> None:
    at = [datetime.now(UTC) - timedelta(seconds=seconds) for seconds in (200, 199, 198, 60, 59, 58)]
    shown = [Snapshot(each, (), BrokerStatus("broker", None, 1.0, 1.0, unacknowledged=1)) for each in at]
    figure = traffic.broker_figure(Snapshots(shown[-1], tuple(shown)))
    for trace in figure["data"]:
        assert trace["y"] == [1, 1, None, 1]


def test_a_figure_that_is_kept_has_a_point_for_each_step_and_none_where_nobody_recorded_one() -> None:
    span = SPANS["1h"]
    first, last = NOW.replace(minute=0, second=0) - timedelta(hours=1), NOW.replace(second=0)
    points = [
        FigurePoint(at=at, figure="waiting", subject="order_service", mean=1.0, greatest=4.0) for at in (first, last)
    ]
    [trace] = history.figure(QUEUES, points, span, NOW)["data"]
    assert trace["y"] == [4.0, *[None] * 59, 4.0]
    assert trace["name"] == "order_service"
    rows = [Traffic(at=last, placed=1, confirmed=2, cancelled=3, messages=9)]
    assert [trace["y"][-1] for trace in history.traffic_figure(rows, span, NOW)["data"]] == [9, 2, 3]
    assert len(history.broker_figure([], span, NOW)["data"]) == 3


def test_every_range_has_at_most_two_hundred_points() -> None:
    assert list(SPANS) == [name for name in ranges.NAMES if name]
    for name, span in SPANS.items():
        assert 60 <= len(history.steps(span, NOW)) <= 200, name


def test_the_address_holds_the_range_and_an_unknown_one_is_the_default() -> None:
    assert ranges.chosen("?range=24h") == "24h"
    assert [ranges.chosen(search) for search in (None, "", "?range=2y", "?range=")] == [ranges.LIVE] * 4
    assert ranges.chosen("?x=1", "1h") == "1h"
    assert "/dashboard/infrastructure?range=6h" in str(ranges.picker("infrastructure", "1h", "1h"))
    assert "Live" not in str(ranges.picker("infrastructure", "1h", "1h"))
