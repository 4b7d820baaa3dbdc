"""What the doctor finds in one database or on the broker, by kind."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ordersaga.diagnosis.ask_broker import ask_broker
from ordersaga.diagnosis.ask_database import SeenServers, ask_database
from ordersaga.diagnosis.diagnose import collect
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.questions import Answered, Terms, utc_now
from ordersaga.service import Service
from tests.support.counting import service as counting


def asked(
    url: str,
    limits: DiagnosisLimits | None = None,
    clock: Callable[[], datetime] = utc_now,
    service: Service = counting,
) -> Answered:
    """All answers of one database."""
    answered = Answered(service.database)
    ask_database(service, url, Terms(limits or DiagnosisLimits(), clock=clock), SeenServers(), answered)
    return answered


def found(kind: str, url: str, **limits: Any) -> list[DiagnosisFinding]:
    """The findings of this kind in one database; `limits` in place of the usual ones."""
    return [finding for finding in asked(url, DiagnosisLimits(**limits)).findings if finding.kind == kind]


def found_on_broker(
    amqp_url: str, services: Sequence[Service] = (counting,), *others: Answered
) -> dict[str, list[DiagnosisFinding]]:
    """By kind, the findings on the broker; `others` are answers of the databases."""
    answered = Answered("rabbitmq")
    ask_broker(services, amqp_url, Terms(), answered)
    by_kind: dict[str, list[DiagnosisFinding]] = {}
    for finding in collect(services, [answered, *others]).findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    return by_kind
