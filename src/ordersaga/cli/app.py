"""Application: the services, databases, broker and settings that a command works on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.settings import MissingSetting, Settings, database_url, read_settings
from ordersaga.service import Service

if TYPE_CHECKING:
    from ordersaga.audit.note import VerifierKey

OWNER = "ordersaga"
"""The role that owns the databases, where the application knows several."""
RELAY = "relay"
PROVISIONER = "provisioner"
"""The broker's user who declares exchanges and queues."""


class Application:
    """The object that commands get with `click.pass_obj`; servers and settings come from the environment.

    An application with several URLs for a database, or with its settings elsewhere, derives a class.
    """

    def __init__(self, load: Callable[[], Sequence[Service]]) -> None:
        """`load` imports the services; it is called when a command first asks for one."""
        self._load = load

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

    def service(self, name: str) -> Service:
        """Raises click.UsageError: there is none of this name."""
        found = next((service for service in self.services if service.name == name), None)
        if found is None:
            names = ", ".join(service.name for service in self.services)
            raise click.UsageError(f"There is no service {name!r}. Name one of: {names}.")
        return found

    def chosen(self, names: Iterable[str]) -> list[Service]:
        """The services of these names, or all. Raises click.UsageError."""
        return [self.service(name) for name in names] or list(self.services)

    def database_url(self, database: str, role: str) -> str:
        """`<DATABASE>_DATABASE_URL`, whatever the role. Raises MissingSetting."""
        return database_url(database)

    def owner_urls(self) -> dict[str, str]:
        """By name of the service, the URL of the owner of its database. Raises MissingSetting."""
        return {service.name: self.database_url(service.database, OWNER) for service in self.services}

    def amqp_url(self, user: str) -> str:
        """AMQP_URL, whoever the user is. Raises MissingSetting."""
        return read_settings(Settings).broker_url

    def worker_settings(self, service: Service) -> Settings:
        """The settings that the worker of this service reads. Raises MissingSetting."""
        return read_settings(service.settings)

    def erasure_list(self) -> Path | None:
        """The list of erasures: ERASURE_LIST; None when there is none."""
        path = read_settings(Settings).erasure_list
        return Path(path) if path else None

    def audit_directory(self) -> Path:
        """Where the sealer keeps leaves and checkpoints: AUDIT_CHECKPOINTS. Raises MissingSetting."""
        directory = read_settings(SealerSettings).audit_checkpoints
        if not directory:
            raise MissingSetting("AUDIT_CHECKPOINTS is not set. Set it to the sealer's directory, or give --log DIR.")
        return Path(directory)

    def audit_key(self) -> "VerifierKey":
        """The public half of AUDIT_SIGNING_KEY. Raises MissingSetting."""
        from ordersaga.audit.note import BadKey, Signer

        try:
            return Signer.from_pem(read_settings(SealerSettings).audit_signing_key).verifier
        except BadKey as error:
            raise MissingSetting(f"AUDIT_SIGNING_KEY is {error}. Set it, or give the public key with --key.") from None

    def facts_about(self, subject: str) -> Mapping[str, int | None]:
        """Name and number of the read side's rows about a person, shown before an erasure."""
        return {}

    @property
    def not_erased(self) -> Sequence[str]:
        """Data of this application that an erasure does not touch, beside that of every application."""
        return ()
