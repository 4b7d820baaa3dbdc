"""Every page has the worst alarm in words and a number where one acts, and nothing while nothing is wrong."""

from projections.dashboard.components import alarms
from projections.monitor.alarm import Alarm

DOWN = Alarm("process_down", "orders-worker", "critical", "orders-worker is down.", "infrastructure")
DEAD = Alarm("dead_messages", "orders", "critical", "2 messages failed.", "parked")
LATE = Alarm("orders_overdue", "", "warning", "3 orders are overdue.", "orders?overdue=yes")


def test_the_line_says_the_worst_and_how_many_more_each_with_its_link() -> None:
    assert alarms.line([]) is None
    alone = str(alarms.line([LATE]))
    assert "tone-warn" in alone
    assert "/dashboard/orders?overdue=yes" in alone
    assert "more" not in alone
    line = str(alarms.line([DOWN, DEAD, LATE]))
    assert "tone-bad" in line
    assert "orders-worker is down." in line
    assert "/dashboard/infrastructure" in line
    assert "and 2 more" in line
    assert "/dashboard/alarms" in line


def test_a_badge_counts_the_alarms_of_its_page_and_that_of_the_alarms_all() -> None:
    found = [DOWN, DEAD, LATE]
    assert alarms.badge(found, "audit") is None
    assert alarms.badge(found, "") is None
    assert "badge-warn" in str(alarms.badge(found, "orders"))
    assert "badge-bad" in str(alarms.badge(found, "parked"))
    assert "['3', " in str(alarms.badge(found, "alarms"))
