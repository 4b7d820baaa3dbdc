"""A running stack serves the metrics that the boards and the alert rules take from others."""

import json
import subprocess
import sys

import requests

from tests.shop.support.whole_stack import WholeStack
from tests.shop.unit.test_observability import OF_OTHERS


def test_every_metric_of_rabbitmq_and_of_the_client_library_that_is_used_is_served(stack: WholeStack) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "devstack", "prometheus", "--state", str(stack.state.directory)],
        cwd=stack.root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    served = {"up"}
    for job in json.loads(printed)["scrape_configs"]:
        target = job["static_configs"][0]["targets"][0]
        url = f"http://{target}{job.get('metrics_path', '/metrics')}"
        answer = requests.get(url, params=job.get("params"), timeout=10)
        served |= {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE ")}
    assert served >= set(OF_OTHERS)
