"""`./ordersaga prometheus`: a configuration of Prometheus that scrapes a stack and loads the alert rules."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from devstack.environment import Environments
from devstack.options import state_option
from devstack.processes import PROCESSES
from devstack.records import Records
from devstack.state import ROOT, State
from ordersaga.cli.errors import Failed

RULES = ROOT / "observability" / "prometheus" / "rules" / "ordersaga.yml"
SECONDS = "5s"
FAMILIES = ["queue_coarse_metrics", "queue_consumer_count"]
"""The two families of metrics by queue that boards and rules use."""


@click.command()
@state_option
@click.option("--alertmanager", metavar="HOST:PORT", help="Send alerts to this Alertmanager.")
def prometheus(state: State, alertmanager: str | None) -> None:
    """Print a configuration of Prometheus for the stack of this state directory, with the alert rules.

    Example: ./ordersaga prometheus > prometheus.yml && prometheus --config.file prometheus.yml
    """
    if not state.exists():
        raise Failed(f"No stack has run in {state.directory} yet. Start one with `./ordersaga up` first.")
    environments = Environments(state, Records(state).external_servers())
    urls = {process.name: environments.url(process) for process in PROCESSES if not process.outside}
    found = configuration(urls, environments.broker_metrics_url())
    if alertmanager:
        found["alerting"] = {"alertmanagers": [static(alertmanager)]}
    print(json.dumps(found, indent=2))


def configuration(urls: Mapping[str, str], broker_metrics_url: str, rules: str = str(RULES)) -> dict[str, Any]:
    """The configuration as JSON, which is YAML too.

    Args:
        urls: process -> base URL.
        broker_metrics_url: base URL of the plugin rabbitmq_prometheus; empty without it.
        rules: the file of alert rules.
    """
    return {
        "global": {"scrape_interval": SECONDS, "evaluation_interval": SECONDS},
        "rule_files": [rules],
        "scrape_configs": [processes(urls), *(broker(broker_metrics_url) if broker_metrics_url else ())],
    }


def processes(urls: Mapping[str, str]) -> dict[str, Any]:
    targets = [static(host_of(url))["static_configs"][0] | {"labels": {"process": name}} for name, url in urls.items()]
    return {"job_name": "ordersaga", "static_configs": targets}


def broker(url: str) -> list[dict[str, Any]]:
    """One job for the node, and one for its queues."""
    target = static(host_of(url))
    queues = {"job_name": "rabbitmq-queues", "metrics_path": "/metrics/detailed", "params": {"family": FAMILIES}}
    return [{"job_name": "rabbitmq"} | target, queues | target]


def static(host: str) -> dict[str, Any]:
    return {"static_configs": [{"targets": [host]}]}


def host_of(url: str) -> str:
    return urlsplit(url).netloc
