"""The Grafana boards, as data: `python -m observability.boards` writes them to observability/grafana/boards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("grafana") / "boards"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 12, 8
"""Of a panel; Grafana's grid has 24 columns."""
HTTP = "http_server_request_duration_seconds"
BATCH = "ordersaga_batch_duration_seconds"


@dataclass(frozen=True)
class Panel:
    """One chart: `queries` maps a legend to an expression; `unit` is Grafana's name of it."""

    title: str
    unit: str
    queries: dict[str, str]
    explanation: str = ""
    bad_above: float | None = None
    """A line is drawn here, and what is above it is red."""


@dataclass(frozen=True)
class Board:
    """A page of charts, in two columns."""

    title: str
    panels: tuple[Panel, ...]


def quantiles(metric: str, by: str, title: str) -> Panel:
    """The median and the 99th percentile of a histogram in seconds."""
    rate = f"sum by ({by}, le) (rate({metric}_bucket[$__rate_interval]))"
    return Panel(
        title,
        "s",
        {
            f"{{{{{by}}}}} median": f"histogram_quantile(0.5, {rate})",
            f"{{{{{by}}}}} 99 %": f"histogram_quantile(0.99, {rate})",
        },
    )


def legend(by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by.split(", "))


def rate(metric: str, by: str, what: str = "") -> dict[str, str]:
    return {legend(by) + what: f"sum by ({by}) (rate({metric}[$__rate_interval]))"}


def gauge(metric: str, by: str, most: str = "max") -> dict[str, str]:
    return {legend(by): f"{most} by ({by}) ({metric})"}


BOARDS = {
    "overview": Board(
        "OrderSaga: overview",
        (
            Panel("Processes that do not answer", "short", {"{{process}}": 'up{job="ordersaga"} == 0'}, bad_above=0),
            Panel(
                "Messages that wait for a person",
                "short",
                gauge('ordersaga_parked_messages{state="dead"}', "group", "sum"),
            ),
            Panel("Requests a second", "reqps", rate(f"{HTTP}_count", "process")),
            Panel(
                "Requests answered with 5xx",
                "percentunit",
                {
                    "{{process}}": f'sum by (process) (rate({HTTP}_count{{status=~"5.."}}[$__rate_interval]))'
                    f" / sum by (process) (rate({HTTP}_count[$__rate_interval]))"
                },
                bad_above=0.01,
            ),
            Panel(
                "Alarms of the dashboard", "short", gauge("ordersaga_standing_alarms", "name, severity"), bad_above=0
            ),
            Panel("Published late by", "s", gauge("ordersaga_relay_lag_seconds", "database"), bad_above=60),
            Panel("Messages received a second", "mps", rate("ordersaga_messages_received_total", "group")),
            Panel(
                "Messages that wait in the queues", "short", gauge("rabbitmq_detailed_queue_messages_ready", "queue")
            ),
            Panel("Requests shed a second", "reqps", rate("ordersaga_requests_shed_total", "service, limit")),
        ),
    ),
    "messages": Board(
        "OrderSaga: messages",
        (
            Panel("Published a second", "mps", rate("ordersaga_relay_messages_published_total", "database")),
            Panel("Published late by", "s", gauge("ordersaga_relay_lag_seconds", "database"), bad_above=60),
            Panel("Rows not confirmed yet", "short", gauge("ordersaga_relay_lag_rows", "database")),
            Panel(
                "Active relay",
                "short",
                {"{{process}} {{database}}": "ordersaga_relay_active"},
                "1 is active, 0 is on standby.",
            ),
            Panel(
                "Queues without an answer",
                "short",
                gauge("ordersaga_relay_detached_queues", "database"),
                "The relay publishes around them; their messages wait in the outbox.",
                bad_above=0,
            ),
            Panel(
                "Refused by the broker a second",
                "mps",
                rate("ordersaga_relay_messages_refused_total", "database, kind"),
            ),
            Panel(
                "Undeliverable messages",
                "short",
                gauge("ordersaga_relay_undeliverable_messages", "database, kind", "sum"),
            ),
            Panel("Received a second", "mps", rate("ordersaga_messages_received_total", "group, contract")),
            quantiles(BATCH, "group", "Duration of a batch"),
            Panel("Parked messages", "short", gauge("ordersaga_parked_messages", "group, state", "sum")),
            Panel("Parked a second", "mps", rate("ordersaga_messages_parked_total", "group")),
            Panel(
                "Delivered again and dropped a second",
                "mps",
                rate("ordersaga_messages_redelivered_total", "group", " redelivered")
                | rate("ordersaga_messages_deduplicated_total", "group", " dropped"),
            ),
            Panel("Queues held by a worker", "short", gauge("ordersaga_held_queues", "process, group")),
            Panel("Paused groups", "short", gauge("ordersaga_group_paused", "group")),
            Panel("Queues released a second", "short", rate("ordersaga_queues_released_total", "group")),
            Panel("Forked messages", "short", gauge("ordersaga_messages_forked_total", "group", "sum"), bad_above=0),
            Panel("Rows purged a second", "short", rate("ordersaga_rows_purged_total", "group, table")),
            Panel("Outbox rows purged a second", "short", rate("ordersaga_relay_rows_purged_total", "database")),
        ),
    ),
    "broker": Board(
        "OrderSaga: broker",
        (
            Panel("Messages ready", "short", gauge("rabbitmq_detailed_queue_messages_ready", "queue")),
            Panel("Messages unacknowledged", "short", gauge("rabbitmq_detailed_queue_messages_unacked", "queue")),
            Panel("Consumers", "short", gauge("rabbitmq_detailed_queue_consumers", "queue")),
            Panel("Taken from publishers a second", "mps", rate("rabbitmq_global_messages_received_total", "protocol")),
            Panel("Delivered a second", "mps", rate("rabbitmq_global_messages_delivered_total", "protocol")),
            Panel(
                "Alarms",
                "short",
                {
                    "memory": "max(rabbitmq_alarms_memory_used_watermark)",
                    "disk": "max(rabbitmq_alarms_free_disk_space_watermark)",
                    "file descriptors": "max(rabbitmq_alarms_file_descriptor_limit)",
                },
                "While one of them is 1, the broker takes no messages.",
                bad_above=0,
            ),
        ),
    ),
    "http": Board(
        "OrderSaga: HTTP",
        (
            Panel("Requests a second", "reqps", rate(f"{HTTP}_count", "process, route, status")),
            quantiles(HTTP, "process", "Duration"),
            quantiles(HTTP, "route", "Duration by route"),
            Panel("Requests shed a second", "reqps", rate("ordersaga_requests_shed_total", "service, limit")),
            Panel(
                "Refused before they are read, a second",
                "reqps",
                rate("http_server_requests_refused_total", "process, reason"),
            ),
            Panel(
                "Circuits that are open", "short", gauge("ordersaga_circuit_open", "resource, operation"), bad_above=0
            ),
            Panel("Outside calls a second", "cps", rate("ordersaga_outside_calls_total", "operation, outcome")),
            Panel(
                "Messages that wait for a call",
                "short",
                gauge("ordersaga_outside_waiting_messages", "operation", "sum"),
            ),
            quantiles("ordersaga_outside_call_duration_seconds", "operation", "Duration of an outside call"),
        ),
    ),
    "processes": Board(
        "OrderSaga: processes, audit and webhooks",
        (
            Panel("Memory", "bytes", gauge("process_resident_memory_bytes", "process")),
            Panel("CPU, cores", "short", rate("process_cpu_seconds_total", "process")),
            Panel("Open files and sockets", "short", gauge("process_open_fds", "process")),
            Panel("Running for", "s", {"{{process}}": 'time() - process_start_time_seconds{job="ordersaga"}'}),
            Panel("Attempts at webhooks a second", "short", rate("ordersaga_webhooks_attempts_total", "outcome")),
            Panel("Webhooks that wait", "short", gauge("ordersaga_webhooks_pending_deliveries", "state")),
            Panel("Events sealed a second", "short", rate("ordersaga_audit_events_sealed_total", "store")),
            Panel("Events sealed", "short", gauge("ordersaga_audit_log_events", "store")),
            Panel("Sealed late by", "s", gauge("ordersaga_audit_lag_seconds", "store"), bad_above=300),
            Panel("Findings of the verification", "short", gauge("ordersaga_audit_findings", "store"), bad_above=0),
            Panel(
                "Last verified before", "s", gauge("ordersaga_audit_verification_age_seconds", "store"), bad_above=21600
            ),
        ),
    ),
}


def board(name: str) -> dict[str, Any]:
    """Grafana's JSON model of a board (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/)."""
    return {
        "uid": f"ordersaga-{name}",
        "title": BOARDS[name].title,
        "tags": ["ordersaga"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [drawn(panel, number) for number, panel in enumerate(BOARDS[name].panels, 1)],
    }


def drawn(panel: Panel, number: int) -> dict[str, Any]:
    """The panel with this number, in two columns."""
    row, column = divmod(number - 1, 2)
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10, "spanNulls": False}}
    if panel.bad_above is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.bad_above}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.explanation,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + which), "datasource": SOURCE, "legendFormat": name, "expr": expression}
            for which, (name, expression) in enumerate(panel.queries.items())
        ],
    }


def text(name: str) -> str:
    """What stands in the file of a board."""
    return json.dumps(board(name), indent=2) + "\n"


if __name__ == "__main__":
    for each in BOARDS:
        (FOLDER / f"{each}.json").write_text(text(each))
