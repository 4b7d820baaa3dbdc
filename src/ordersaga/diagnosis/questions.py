"""What questions are asked with, and what they answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from ordersaga.broker.group_status import GroupStatus
from ordersaga.diagnosis.findings import DiagnosisFinding, Unseen
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.named_lock import NamedLock
from ordersaga.diagnosis.settings import DiagnosisSettings
from ordersaga.service import Service


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Terms:
    """What all questions of one diagnosis share."""

    limits: DiagnosisLimits = field(default_factory=DiagnosisLimits)
    settings: DiagnosisSettings = field(default_factory=DiagnosisSettings)
    clock: Callable[[], datetime] = utc_now
    """The time of this machine."""


@dataclass(frozen=True)
class AskedDatabase:
    """The database of one service."""

    service: Service
    connection: Connection[Any]
    terms: Terms
    locks: Sequence[NamedLock]
    """The named locks that sessions hold or wait for in it."""

    @property
    def place(self) -> str:
        return self.service.database

    @property
    def server(self) -> str:
        """The place of what is true of the whole server."""
        return f"postgres {self.connection.info.host}:{self.connection.info.port}"


Answers = Iterable[DiagnosisFinding | Unseen]
DatabaseQuestion = Callable[[AskedDatabase], Answers]


@dataclass
class Answered:
    """The answers of one server, as far as it has given them."""

    place: str
    findings: list[DiagnosisFinding] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    locks: list[NamedLock] = field(default_factory=list)
    groups: list[GroupStatus] = field(default_factory=list)
    asking: str = "for a connection"
    """The question that it has not answered yet."""

    def take(self, answers: Answers) -> None:
        for answer in answers:
            if isinstance(answer, DiagnosisFinding):
                self.findings.append(answer)
            else:
                self.unseen.append(answer)
