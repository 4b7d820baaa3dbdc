"""The processes of the stack, in the order in which they start, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SERVICES = ("order_service", "payment_service", "inventory_service")
READ_SIDE = "projections"
GROUPS = (*SERVICES, READ_SIDE)
"""Packages; the names of their databases, database roles, broker users and consumer groups are the same."""
APP = "shop:services"
RELAY_ROLE = "relay"
AUDITOR_ROLE = "auditor"
"""The role that reads events and operators' actions in every database, and changes nothing."""

TOKENS = {"TOKEN_PUBLIC_KEY_FILE": "{token_public_keys}", "TOKEN_ISSUER": "ordersaga", "TOKEN_AUDIENCE": "ordersaga"}
PERSONAL = {"PERSONAL_KEY_ENCRYPTION_KEY": "{personal_key}", "ERASURE_LIST": "{erasures}"}
CARDS = {"PAYMENT_GATEWAY": "stripe", "STRIPE_API_KEY": "{card_key}", "STRIPE_API_BASE": "{card_url}"}
HEALTH = {"HEALTH_PORT": "{port}"}
MONITORING = {"MONITORED": "{monitored}", "SERVICES": "{services}", "BROKER_METRICS_URL": "{broker_metrics_url}"}
"""Settings of a process that shows the state of all others."""
SECRETS = {"WEBHOOK_SECRETS_KEY": "{webhook_key}"}
WEBHOOKS = ("WEBHOOK_ALLOW", "WEBHOOK_HTTP")
"""Where a webhook may be sent to, beside the internet over https."""
ADMISSION = ("SAGA_LATENCY_LIMIT_SECONDS", "OPEN_SAGAS_LIMIT")
TIME_LIMITS = ("LOCK_TIMEOUT_SECONDS", "STATEMENT_TIMEOUT_SECONDS", "IDLE_IN_TRANSACTION_TIMEOUT_SECONDS")
ALARM_LIMITS = ("ALARM_RELAY_LAG_SECONDS", "ALARM_WAITING_MESSAGES", "ALARM_WAITING_SECONDS")
RELAY_SETTINGS = ("RELAY_RETENTION_HOURS", "RELAY_MAX_MESSAGE_BYTES")
AUDIT_LOG = {"AUDIT_CHECKPOINTS": "{audit_directory}"}
AUDITED = dict.fromkeys(SERVICES, AUDITOR_ROLE)


@dataclass(frozen=True)
class Process:
    """One line of the table; `{...}` in arguments and settings is filled in from the state directory."""

    name: str
    arguments: tuple[str, ...]
    """What follows the Python interpreter."""
    databases: Mapping[str, str] = field(default_factory=dict)
    """Database -> role that the process signs in as."""
    amqp_user: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    passed_on: tuple[str, ...] = ()
    """Variables of the caller's environment that reach this process."""
    is_api: bool = False
    """Serves its own database over HTTP."""
    outside: bool = False
    """Replaces a system that is not ours: starts with the servers and stops after the processes."""

    @property
    def serves(self) -> list[str]:
        """The services whose role it signs in as; other databases it only reads."""
        return [database for database, role in self.databases.items() if role == database]


def api(
    name: str,
    package: str,
    settings: Mapping[str, str] | None = None,
    databases: Mapping[str, str] | None = None,
    passed_on: tuple[str, ...] = (),
) -> Process:
    """HTTP endpoints of one service; `databases` has the databases beside its own, with the role for each."""
    return Process(
        name,
        ("-m", "gunicorn", "--config", "python:ordersaga.http.gunicorn_conf", f"{package}.api:create_app()"),
        databases={package: package, **(databases or {})},
        settings={**TOKENS, "HTTP_PORT": "{port}", **(settings or {})},
        passed_on=("ORDER_DEADLINE_SECONDS", "HTTP_READ_SECONDS", "ACCESS_LOG", *ADMISSION, *TIME_LIMITS, *passed_on),
        is_api=True,
    )


def worker(name: str, package: str, settings: Mapping[str, str] | None = None) -> Process:
    """The consumer of one group."""
    return Process(
        name,
        ("-m", package),
        databases={package: package},
        amqp_user=package,
        settings={**HEALTH, **(settings or {})},
        passed_on=("INBOX_RETENTION_DAYS", "ORDER_DEADLINE_SECONDS", "STRIPE_TIMEOUT_SECONDS", *TIME_LIMITS),
    )


def relay_user(service: str) -> str:
    """The broker user who publishes the contracts of this service and no others."""
    return f"{service}_relay"


def relay(name: str, package: str) -> Process:
    """Publishes the outbox of one service; `<context>-relay` is its name, `<context>.` begins all its contracts."""
    return Process(
        name,
        ("-m", "relay", package),
        databases={package: RELAY_ROLE},
        amqp_user=relay_user(package),
        settings=HEALTH,
        passed_on=RELAY_SETTINGS,
    )


SIMULATOR_OPTIONS = ("--port", "{port}", "--ledger", "{ledger}")
PROCESSES = (
    Process("simulator", ("-m", "payment_service.simulator", *SIMULATOR_OPTIONS), outside=True),
    api("orders-api", "order_service", PERSONAL),
    api("payments-api", "payment_service"),
    api("inventory-api", "inventory_service"),
    worker("orders-worker", "order_service"),
    worker("payments-worker", "payment_service", CARDS),
    worker("inventory-worker", "inventory_service"),
    relay("orders-relay", "order_service"),
    relay("payments-relay", "payment_service"),
    relay("inventory-relay", "inventory_service"),
    worker("projections-worker", "projections"),
    api(
        "projections-api",
        "projections",
        {**MONITORING, **AUDIT_LOG, **SECRETS, "HTTP_STREAMS": "32"},
        AUDITED,
        (*ALARM_LIMITS, *WEBHOOKS, "TRACE_URL"),
    ),
    Process(
        "audit-sealer",
        ("-m", "ordersaga.audit"),
        databases=AUDITED,
        settings={**HEALTH, **AUDIT_LOG, "AUDIT_SIGNING_KEY": "{audit_key}"},
        passed_on=("AUDIT_SEAL_SECONDS",),
    ),
    Process(
        "webhooks",
        ("-m", "ordersaga.cli", "--app", APP, "webhooks", "run"),
        databases={READ_SIDE: READ_SIDE},
        settings={**HEALTH, **SECRETS},
        passed_on=(
            *WEBHOOKS,
            "WEBHOOK_DASHBOARD_URL",
            "WEBHOOK_TIMEOUT_SECONDS",
            "WEBHOOK_RETENTION_DAYS",
        ),
    ),
)

CONTEXTS = {
    service: process.name.removesuffix("-relay")
    for process in PROCESSES
    for service, role in process.databases.items()
    if role == RELAY_ROLE
}
"""Service -> the first part of the names of its contracts."""


def with_workers(number: int) -> tuple[Process, ...]:
    """The table with so many of each worker: `orders-worker`, `orders-worker-2` and so on."""
    table: list[Process] = []
    for process in PROCESSES:
        table.append(process)
        if process.amqp_user in GROUPS:
            table += [replace(process, name=f"{process.name}-{which}") for which in range(2, number + 1)]
    return tuple(table)


MIGRATE = Process(
    "migrate",
    ("-m", "ordersaga.cli", "--app", APP, "migrate"),
    databases=dict.fromkeys(GROUPS, "ordersaga"),
    settings={"ERASURE_LIST": "{erasures}"},
)
TOPOLOGY = Process(
    "topology",
    ("-m", "ordersaga.cli", "--app", APP, "topology"),
    amqp_user="provisioner",
    passed_on=("QUEUES_PER_GROUP", "GROUPS_TO_SEED"),
)
RELAY = Process(
    "relay",
    ("-m", "relay"),
    databases=dict.fromkeys(SERVICES, RELAY_ROLE),
    amqp_user=RELAY_ROLE,
    passed_on=RELAY_SETTINGS,
)
"""All outboxes in one process, as a broker user who may publish every contract."""
