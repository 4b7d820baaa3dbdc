"""The audit: entries of the trail, the tree of causes and effects, and the result of verification."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from contracts import CONTRACTS
from ordersaga.audit.verification import is_clean, is_late
from ordersaga.readside.why import Node
from projections.audit.trail import OPERATIONS, OPERATOR, TrailEntry
from projections.dashboard.addresses import address
from projections.dashboard.components import words
from projections.dashboard.components.basic import Content, aria, empty, mark
from projections.dashboard.components.kinds import kind_mark, kind_of
from projections.dashboard.components.table import Column, table

TYPES = [{"value": name, "label": kind_of(name).text} for name in CONTRACTS] + [
    {"value": name, "label": f"Operator: {name.removeprefix(OPERATOR)}"} for name in OPERATIONS
]


def trail_table(entries: Sequence[TrailEntry]) -> Component:
    if not entries:
        return empty("No entry matches", "Choose a longer time span or clear a filter.", "search")
    columns: list[Column[TrailEntry]] = [
        Column("When", lambda entry: words.moment(entry.time, fine=True)),
        Column("Who", lambda entry: entry.who),
        Column("What", what),
        Column("Key", key),
        Column("Why", lambda entry: why_text(entry.why), "muted"),
        Column("Where", lambda entry: words.service(entry.where), "wide-only"),
        Column("Outcome", lambda entry: entry.outcome or words.NOTHING, "wide-only"),
    ]
    return table("Audit trail", columns, entries)


def what(entry: TrailEntry) -> Content:
    """A message is a link to its causes and effects."""
    if entry.what in OPERATIONS:
        return mark(f"Operator: {entry.what.removeprefix(OPERATOR)}", "info", "person")
    return dcc.Link(kind_mark(entry.what), href=address(f"audit/{entry.id}"))


def key(entry: TrailEntry) -> Content:
    if entry.key is None:
        return words.NOTHING
    is_order = entry.what in CONTRACTS and CONTRACTS[entry.what].KEY == "order_id"
    return dcc.Link(words.short(entry.key), href=address(f"orders/{entry.key}")) if is_order else entry.key


def why_text(text: str) -> str:
    """A reason such as `payment_declined, after <contract>` in words."""
    parts = [part for part in text.split(", ") if part]
    return ", ".join(
        f"after {kind_of(part.removeprefix('after ')).text.lower()}"
        if part.startswith("after ")
        else part.replace("_", " ")
        for part in parts
    )


def tree(node: Node) -> Component:
    """Causes and effects from the first cause down; the requested message is marked."""
    return html.Ul([branch(node)], className="tree", **aria(label="Causes and effects"))


def branch(node: Node) -> html.Li:
    reason = f", {node.reason.replace('_', ' ')}" if node.reason else ""
    line: list[Component | str] = [
        kind_mark(node.contract),
        html.Span(f"{words.service(node.source)}, for {node.actor}{reason}", className="muted"),
        words.moment(node.time, fine=True),
        dcc.Link("Event", href=address(f"events/{node.id}")),
    ]
    if node.asked:
        line.append(html.B("this message"))
    effects = [html.Ul([branch(effect) for effect in node.effects])] if node.effects else []
    return html.Li([html.Div(line, className=f"tree-line{' tree-asked' if node.asked else ''}"), *effects])


def badge(stores: Mapping[str, Mapping[str, Any] | None]) -> Component:
    """The result of the last verification of all stores."""
    known = [found for found in stores.values() if found]
    findings = sum(int(found["findings"]) for found in known)
    if findings:
        return mark(f"History was changed: {words.counted(findings, 'finding')}", "bad", "warning")
    if is_clean(stores):
        return mark("History is unchanged", "good", "audit")
    if any(found["problem"] for found in known):
        return mark("Verification was not completed", "warn", "warning")
    if any(is_late(found) for found in known):
        return mark("Verification is late: does the sealer run?", "warn", "clock")
    return mark("Not verified yet", "idle", "clock")


def stores_table(stores: Mapping[str, Mapping[str, Any] | None]) -> Component:
    columns: list[Column[tuple[str, Mapping[str, Any] | None]]] = [
        Column("Store", lambda row: words.service(row[0])),
        Column("Events", lambda row: figure(row[1], "events"), "number"),
        Column("Sealed", lambda row: figure(row[1], "sealed"), "number"),
        Column("Checkpoints", lambda row: figure(row[1], "checkpoints"), "number"),
        Column("Proven until", lambda row: moment_of(row[1], "until"), "number"),
        Column("Findings", lambda row: figure(row[1], "findings"), "number"),
        Column("Verified", lambda row: moment_of(row[1], "verified_at"), "number"),
    ]
    return html.Div([table("Verification of each store", columns, list(stores.items())), *named(stores)])


def named(stores: Mapping[str, Mapping[str, Any] | None]) -> list[Component]:
    """The stores that could not be verified, each with the reason, and the first findings."""
    known = {store: each for store, each in stores.items() if each}
    found = [finding for each in known.values() for finding in each["named"]]
    lines = [f"{store} could not be verified: {each['problem']}" for store, each in known.items() if each["problem"]]
    lines += [" ".join(f"{name}: {value};" for name, value in finding.items() if value) for finding in found[:20]]
    return [html.Ul([html.Li(line) for line in lines], className="findings mono")] if lines else []


def figure(found: Mapping[str, Any] | None, name: str) -> str:
    return words.count(int(found[name])) if found else words.NOTHING


def moment_of(found: Mapping[str, Any] | None, name: str) -> Content:
    return words.moment(datetime.fromisoformat(found[name])) if found and found[name] else words.NOTHING
