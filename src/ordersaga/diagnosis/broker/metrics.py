"""What the broker's own metrics tell: alarms, lost nodes, the queues of groups that nobody has, and its clock."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ordersaga.broker.bound_contracts import RECORDS
from ordersaga.diagnosis import clocks
from ordersaga.diagnosis.broker.asked import PLACE
from ordersaga.diagnosis.findings import DiagnosisFinding, Unseen
from ordersaga.diagnosis.questions import Answers, Terms
from ordersaga.service import Service

ALARMS = {
    "rabbitmq_alarms_memory_used_watermark": "memory",
    "rabbitmq_alarms_free_disk_space_watermark": "disk",
    "rabbitmq_alarms_file_descriptor_limit": "file descriptors",
}
UNREACHABLE = "rabbitmq_unreachable_cluster_peers_count"
QUEUES = "/metrics/detailed?family=queue_coarse_metrics"
READY = "rabbitmq_detailed_queue_messages_ready"
NOT_SET = Unseen(
    PLACE,
    "its alarms, its clock, and queues of groups that no service of the application has",
    "set BROKER_METRICS_URL to the address of its plugin rabbitmq_prometheus, such as http://host:15692",
)


class Page(NamedTuple):
    """A page of metrics, and the time that the broker put on it."""

    samples: list[Sample]
    date: datetime


def metrics(urls: str, services: Sequence[Service], terms: Terms) -> Answers:
    """What AMQP does not tell. `urls` has one address for each node, with spaces between."""
    if not urls.strip():
        yield NOT_SET
    queues: list[Sample] = []
    for url in (each.rstrip("/") for each in urls.split()):
        try:
            samples = page(f"{url}/metrics", terms.limits.metrics).samples
            yield from alarms(url, samples)
            yield from partitions(url, samples)
            before = terms.clock()
            found = page(url + QUEUES, terms.limits.metrics)
            queues += found.samples
            yield from clocks.compare(f"{PLACE} {url}", before, found.date, terms)
        except (OSError, ValueError, HTTPException) as error:
            what = f"the broker's metrics do not answer at {url}: {error}"
            remedy = "enable its plugin rabbitmq_prometheus, or correct BROKER_METRICS_URL"
            yield DiagnosisFinding("warning", "does not answer", PLACE, what, remedy)
    yield from former_groups(queues, services)


def page(url: str, seconds: float) -> Page:
    """Raises OSError, ValueError or HTTPException."""
    opener = OpenerDirector()  # without proxies, redirects and files
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    answer: Any = opener.open(url, timeout=seconds)
    if answer is None:
        raise ValueError("it is no address of HTTP")
    with answer:
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        samples = list(samples_of(answer.read().decode()))
        return Page(samples, parsedate_to_datetime(answer.headers["Date"] or ""))


def samples_of(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def alarms(url: str, samples: Iterable[Sample]) -> Answers:
    standing = sorted({ALARMS[sample.name] for sample in samples if sample.name in ALARMS and sample.value})
    if standing:
        yield DiagnosisFinding(
            "critical",
            "alarm",
            f"{PLACE} {url}",
            f"RabbitMQ has an alarm about its {' and '.join(standing)}: it takes no messages from publishers",
            "free some, or empty a queue that nobody reads (rabbitmq-diagnostics alarms)",
        )


def partitions(url: str, samples: Iterable[Sample]) -> Answers:
    """Nodes that this one does not reach: they are down, or the network between them is."""
    for sample in samples:
        if sample.name == UNREACHABLE and sample.value:
            nodes = f"{sample.value:.0f} {'node' if sample.value == 1 else 'nodes'}"
            yield DiagnosisFinding(
                "critical",
                "partition",
                f"{PLACE} {url}",
                f"this node of RabbitMQ does not reach {nodes} of its cluster",
                "start the node, or restore the network (rabbitmq-diagnostics cluster_status); a second one that is "
                "lost stops every queue",
            )


def former_groups(samples: Iterable[Sample], services: Sequence[Service]) -> Answers:
    """Groups that `ordersaga topology` has declared, and no service of the application has.

    Each node tells of the queues that it leads.
    """
    ready = {sample.labels["queue"]: int(sample.value) for sample in samples if sample.name == READY}
    declared = {name.removeprefix(RECORDS) for name in ready if name.startswith(RECORDS)}
    for group in sorted(declared - {service.group for service in services}):
        own = [name for name in ready if name.rpartition(".")[0] == group]
        waiting = sum(ready[name] for name in own)
        yield DiagnosisFinding(
            "warning",
            "superfluous queue",
            PLACE,
            f"no service of the application has the group {group}, and its queues still get messages; {waiting} wait",
            f"if no other application has it: rabbitmqctl delete_queue, of {', '.join(sorted(own))} and "
            f"{RECORDS}{group}",
        )
