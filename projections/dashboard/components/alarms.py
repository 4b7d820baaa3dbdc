"""Alarms: the line above every page, the badges of the navigation, and the tables of those that stand and stood."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from projections.dashboard.addresses import address
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, Tone, empty, icon, mark
from projections.dashboard.components.table import Column, table
from projections.monitor.alarm import Alarm
from projections.queries.alarms import AlarmRow

SEVERITIES: dict[str, tuple[str, Tone, str]] = {
    "critical": ("Critical", "bad", "cross"),
    "warning": ("Warning", "warn", "warning"),
}


def line(alarms: Sequence[Alarm]) -> Component | None:
    """The worst alarm in words, and how many there are beside it."""
    if not alarms:
        return None
    first, *others = alarms
    _, tone, icon_name = SEVERITIES[first.severity]
    said: list[Component | str] = [dcc.Link(first.text, href=address(first.address), className="alarm-first")]
    if others:
        said += [" ", dcc.Link(f"and {len(others)} more", href=address("alarms"), className="alarm-more")]
    return html.Div([icon(icon_name), html.Span(said)], className=f"alarm-line tone-{tone}")


def badge(alarms: Sequence[Alarm], path: str) -> Component | None:
    """The number of alarms on which one acts at this page; of all on the page `alarms` itself."""
    here = [alarm for alarm in alarms if path in ("alarms", page_of(alarm))]
    if not here:
        return None
    tone = "bad" if any(alarm.severity == "critical" for alarm in here) else "warn"
    said = html.Span(f" alarm{'' if len(here) == 1 else 's'}", className="hidden-text")
    return html.Span([str(len(here)), said], className=f"badge badge-{tone}")


def page_of(alarm: Alarm) -> str:
    """The path of the page of its address: `orders` of `orders?overdue=yes`."""
    return urlsplit(alarm.address).path.partition("/")[0]


def standing(alarms: Sequence[Alarm]) -> Component:
    if not alarms:
        return empty("Nothing is wrong", "What goes wrong appears here within seconds.", "check")
    columns: list[Column[Alarm]] = [
        Column("Severity", lambda alarm: mark(*SEVERITIES[alarm.severity])),
        Column("What is wrong", lambda alarm: dcc.Link(alarm.text, href=address(alarm.address)), "alarm-text"),
        Column("Since", lambda alarm: words.moment(alarm.since), "number"),
        Column("For", lambda alarm: words.duration(words.age(alarm.since)) if alarm.since else "", "number wide-only"),
    ]
    return table("Alarms that stand", columns, alarms)


def ended(rows: Sequence[AlarmRow]) -> Component:
    if not rows:
        return empty("No alarm has ended yet", "Those that end are kept here with their beginning and end.", "clock")
    columns: list[Column[AlarmRow]] = [
        Column("Severity", lambda row: mark(*SEVERITIES[row.severity])),
        Column("What was wrong", lambda row: row.text, "alarm-text"),
        Column("Began", lambda row: words.moment(row.raised_at), "number"),
        Column("Ended", lambda row: words.moment(row.cleared_at), "number"),
        Column("Lasted", lasted, "number"),
    ]
    return table("Alarms that have ended", columns, rows)


def lasted(row: AlarmRow) -> Content:
    return words.duration(row.cleared_at - row.raised_at) if row.cleared_at else words.NOTHING
