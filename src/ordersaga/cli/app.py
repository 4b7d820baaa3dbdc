"""Application: the services, databases, broker and settings that a command works on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ordersaga.audit.settings import SealerSettings
from ordersaga.diagnosis.settings import DiagnosisSettings
from ordersaga.runtime.settings import MissingSetting, Settings, database_url, distinct_databases, read_settings
from ordersaga.service import Service
from ordersaga.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from ordersaga.audit.note import Signer, VerifierKey

OWNER = "ordersaga"
"""The role that owns the databases, where the application knows several."""
RELAY = "relay"
AUDITOR = "auditor"
"""The role that reads events, for the sealer."""
PROVISIONER = "provisioner"
"""The broker's user who declares exchanges and queues."""


class Application:
    """The object that commands get with `click.pass_obj`; servers and settings come from the environment.

    An application with several URLs for a database, or with its settings elsewhere, derives a class.
    """

    def __init__(self, load: Callable[[], Sequence[Service]]) -> None:
        """`load` imports the services; it is called when a command first asks for one."""
        self._load = load

    @property
    def known_names(self) -> Mapping[str, Sequence[str]]:
        """Names of each kind of argument (`service`, `publishing service`, `group`) that need no import."""
        return {}

    @cached_property
    def services(self) -> tuple[Service, ...]:
        return tuple(self._load())

    @property
    def with_outbox(self) -> list[Service]:
        """The services that record events and announce them; a relay publishes each."""
        return [service for service in self.services if not service.is_read_side]

    @property
    def read_side(self) -> Service | None:
        """The service that keeps the event log, if there is one."""
        return next((service for service in self.services if service.is_read_side), None)

    def database_url(self, database: str, role: str) -> str:
        """`<DATABASE>_DATABASE_URL`, whatever the role. Raises MissingSetting."""
        return database_url(database)

    def owner_urls(self) -> dict[str, str]:
        """By name of the service, the URL of the owner of its database. Raises MissingSetting."""
        urls = self.urls(self.services, OWNER)
        return {service.name: urls[service.database] for service in self.services}

    def urls(self, services: Iterable[Service], role: str) -> dict[str, str]:
        """Database -> URL for the role.

        Raises:
            MissingSetting: a URL is missing, or is also that of another service.
        """
        wanted = {each.database: self.database_url(each.database, role) for each in services}
        others: dict[str, str] = {}
        for service in self.services:
            with suppress(MissingSetting):
                others[service.database] = self.database_url(service.database, role)
        distinct_databases(others | wanted)
        return wanted

    def amqp_url(self, user: str) -> str:
        """AMQP_URL, whoever the user is. Raises MissingSetting."""
        return read_settings(Settings).broker_url

    def broker_metrics_url(self) -> str:
        """Base URLs of RabbitMQ's metrics, with spaces between: BROKER_METRICS_URL; empty without them."""
        return read_settings(DiagnosisSettings).broker_metrics_url

    def worker_settings(self, service: Service) -> Settings:
        """The settings that the worker of this service reads. Raises MissingSetting."""
        return read_settings(service.settings)

    def erasure_list(self) -> Path | None:
        """The list of erasures: ERASURE_LIST; None when there is none."""
        path = read_settings(Settings).erasure_list
        return Path(path) if path else None

    def audit_directory(self) -> Path:
        """Where the sealer keeps leaves and checkpoints: AUDIT_CHECKPOINTS. Raises MissingSetting."""
        try:
            return read_settings(SealerSettings).directory
        except MissingSetting as missing:
            raise MissingSetting(f"{missing} Or give --log DIR.") from None

    def audit_signer(self) -> "Signer":
        """The signer of checkpoints, from AUDIT_SIGNING_KEY. Raises MissingSetting."""
        from ordersaga.audit.note import signer_of

        return signer_of(read_settings(SealerSettings))

    def audit_key(self) -> "VerifierKey":
        """The public half of the signer's key. Raises MissingSetting."""
        try:
            return self.audit_signer().verifier
        except MissingSetting as missing:
            raise MissingSetting(f"{missing} Set it, or give the public key with --key.") from None

    def webhook_settings(self) -> WebhookSettings:
        """The settings of the webhook process, which also seal a new secret. Raises MissingSetting."""
        return read_settings(WebhookSettings)

    def facts_about(self, subject: str) -> Mapping[str, int | None]:
        """Name and number of the read side's rows about a person, shown before an erasure."""
        return {}

    @property
    def not_erased(self) -> Sequence[str]:
        """Data of this application that an erasure does not touch, beside that of every application."""
        return ()
