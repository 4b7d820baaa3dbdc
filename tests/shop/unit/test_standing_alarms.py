"""An alarm stands when two rounds saw it, and ends when two rounds did not."""

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from projections.monitor.alarm import Alarm
from projections.monitor.standing import Standing
from projections.monitor.watch import serve

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DOWN = Alarm("process_down", "orders-worker", "critical", "It is down.", "infrastructure")


def after(*rounds: bool) -> Standing:
    """So many rounds, a second each; True where the process is down."""
    standing = Standing()
    for second, is_down in enumerate(rounds):
        standing.update([DOWN] if is_down else [], FIRST + timedelta(seconds=second))
    return standing


def test_a_process_that_was_away_for_one_round_is_no_alarm() -> None:
    assert after(True).alarms == ()
    assert after(True).is_unsure
    assert after(True, False, True, False).alarms == ()
    assert not after(True, False).is_unsure


def test_an_alarm_of_two_rounds_stands_since_the_first() -> None:
    [alarm] = after(True, True).alarms
    assert alarm.since == FIRST
    assert not after(True, True).is_unsure


def test_an_alarm_survives_one_good_round_and_ends_with_the_second() -> None:
    assert [each.since for each in after(True, True, False, True).alarms] == [FIRST]
    assert after(True, True, False).ended == []
    ended = after(True, True, False, False)
    assert ended.alarms == ()
    assert [(each.alarm.key, each.cleared_at) for each in ended.ended] == [(DOWN.key, FIRST + timedelta(seconds=3))]


def test_what_it_says_may_change_while_it_stands() -> None:
    standing = after(True, True)
    standing.update([Alarm(*DOWN.key, "critical", "It is down for good.", "infrastructure")], datetime.now(UTC))
    [alarm] = standing.alarms
    assert (alarm.text, alarm.since) == ("It is down for good.", FIRST)


def test_the_metric_counts_those_that_stand_and_is_zero_after_their_end() -> None:
    labels = {"name": DOWN.name, "severity": DOWN.severity}
    serve([DOWN, DOWN])
    assert REGISTRY.get_sample_value("ordersaga_standing_alarms", labels) == 2
    serve([])
    assert REGISTRY.get_sample_value("ordersaga_standing_alarms", labels) == 0
