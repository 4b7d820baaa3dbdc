"""compose.yaml runs what the code is: the same processes, commands, accounts, ports and rights."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
from pydantic_settings import BaseSettings

from devstack.ports import choose
from devstack.processes import GROUPS, MIGRATE, PROCESSES, RELAY_ROLE, TOPOLOGY, Process
from devstack.servers.databases import connections_of
from devstack.servers.docker import POSTGRES_IMAGE, RABBITMQ_IMAGE
from devstack.servers.rabbitmq_users import LIMITS, PERMISSIONS, VHOST, permissions_of, topic_permissions
from devstack.state import ROOT
from order_service.settings import OrderSettings
from ordersaga.audit.settings import SealerSettings
from ordersaga.http import gunicorn_conf
from ordersaga.relay.settings import RelaySettings
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.settings import DATABASE_SUFFIX, Settings
from ordersaga.webhooks.settings import WebhookSettings
from payment_service.settings import PaymentSettings
from projections.monitor.targets import read_services, read_targets
from projections.settings import ProjectionsSettings
from shop import services
from tests.shop.support.compose import compose, required, variables

PORT = 8080
SECRETS = {name: f"{name.lower()}-secret" for name in variables() if name.endswith("_PASSWORD")}
COMPOSE = compose({**SECRETS, **{name: value for name, value in os.environ.items() if name.endswith("_VERSION")}})
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = {name for name, service in SERVICES.items() if service["image"] != "ordersaga"}
DATABASE_SERVERS = {name for name in SERVERS if name.endswith("-database")}
WATCHERS = {name for name in SERVERS if SERVICES[name].get("profiles") == ["observability"]}
NODES = {"rabbitmq", "rabbitmq-2", "rabbitmq-3"}
APIS = {"orders-api", "payments-api", "inventory-api", "projections-api"}
SETTINGS = (OrderSettings, PaymentSettings, ProjectionsSettings, SealerSettings, RelaySettings, WebhookSettings)
ACCOUNTS = (DATABASE_SUFFIX, "AMQP_URL")
READ_BY_CLICK = {"USER"}
"""Names the operator in the record of an action."""
READ_BY_OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
STEPS = {"migrate", "topology", "keys"}
BROKER = "broker"
"""The name of every node in the network of the broker."""
COMMANDS = {"token", "ops", "seed", "traffic"}
IN_CONTAINER = {"{port}": str(PORT), "{ledger}": "/ledger/ledger.sqlite"}

every_process = pytest.mark.parametrize("process", [*PROCESSES, MIGRATE, TOPOLOGY], ids=lambda process: process.name)
every_own_service = pytest.mark.parametrize("name", sorted(SERVICES.keys() - SERVERS))


def environment(name: str) -> dict[str, str]:
    return {variable: str(value) for variable, value in SERVICES[name].get("environment", {}).items()}


def urls(name: str) -> dict[str, SplitResult]:
    return {variable: urlsplit(value) for variable, value in environment(name).items() if variable.endswith(ACCOUNTS)}


def test_compose_runs_the_process_table_one_to_one() -> None:
    assert SERVICES.keys() - SERVERS - STEPS - COMMANDS == {process.name for process in PROCESSES}


@every_process
def test_a_process_is_started_with_the_command_of_the_table(process: Process) -> None:
    arguments = [IN_CONTAINER.get(argument, argument) for argument in process.arguments]
    open_to_its_network = ["--host", "0.0.0.0"] if process.name == "simulator" else []
    assert SERVICES[process.name]["command"] == ["python", *arguments, *open_to_its_network]


@every_process
def test_a_command_names_modules_and_applications_that_exist(process: Process) -> None:
    module, *rest = SERVICES[process.name]["command"][2:]
    assert find_spec(module) is not None
    for application in (argument for argument in rest if argument.endswith("()")):
        package, _, factory = application.removesuffix("()").partition(":")
        assert callable(getattr(import_module(package), factory))


@every_own_service
def test_every_variable_is_one_that_the_code_reads(name: str) -> None:
    known = {field.upper() for kind in SETTINGS for field in kind.model_fields}
    packages = {process.arguments[-1].partition(".")[0] for process in PROCESSES}
    known |= {package.upper() + DATABASE_SUFFIX for package in packages}
    assert {
        variable.removesuffix("_FILE") for variable in environment(name)
    } <= known | READ_BY_OPENTELEMETRY | READ_BY_CLICK


@every_process
def test_a_process_has_the_settings_of_the_table(process: Process) -> None:
    given = {variable.removesuffix("_FILE") for variable in environment(process.name)}
    accounts = {database.upper() + DATABASE_SUFFIX for database in process.databases}
    accounts |= {"AMQP_URL"} if process.amqp_user else set()
    assert given >= {*(variable.removesuffix("_FILE") for variable in process.settings), *accounts}
    assert {variable for variable in given if variable.endswith(ACCOUNTS)} == accounts


@every_process
def test_a_process_gets_the_variables_that_a_user_may_set(process: Process) -> None:
    read = {name.upper() for kind in settings_of(process) for name in kind.model_fields}
    assert set(process.passed_on) & read <= environment(process.name).keys()


def settings_of(process: Process) -> list[type[BaseSettings]]:
    if RELAY_ROLE in process.databases.values():
        return [RelaySettings]
    return [service.settings for service in services if service.name in process.serves] or [SealerSettings, Settings]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_for_people_begins_with_a_module_that_exists_and_with_no_process(name: str) -> None:
    entrypoint = SERVICES[name]["entrypoint"]
    module = entrypoint[entrypoint.index("-m") + 1]
    assert find_spec(module) is not None
    assert SERVICES[name]["profiles"]


def test_operators_have_the_accounts_of_the_steps_and_the_keys_of_the_processes() -> None:
    given = environment("ops")
    steps = {name: value for step in (MIGRATE, TOPOLOGY) for name, value in environment(step.name).items()}
    assert {name: given.get(name) for name in steps if name.endswith(ACCOUNTS)} == {
        name: value for name, value in steps.items() if name.endswith(ACCOUNTS)
    }
    files = {item for service in SERVICES for item in environment(service).items() if item[1].startswith("/keys/")}
    assert given.items() >= {item for item in files if item[0] != "TOKEN_PUBLIC_KEY_FILE"}
    folders = {volume.split(":")[1] for volume in SERVICES["ops"]["volumes"]}
    paths = [value for name, value in given.items() if name.endswith("_FILE")]
    assert {value.rpartition("/")[0] for value in paths} <= folders
    assert {given["AUDIT_CHECKPOINTS"], given["ERASURE_LIST"].rpartition("/")[0]} <= folders


def test_the_image_of_a_command_that_is_run_first_is_built() -> None:
    """`docker compose run` builds the images of the service and of what it waits for, and of no other."""
    assert {name for name, service in SERVICES.items() if "build" in service} == {"migrate", "keys"}
    assert "keys" in SERVICES["token"]["depends_on"]


@every_process
def test_a_process_signs_in_as_the_accounts_of_the_table(process: Process) -> None:
    found = urls(process.name)
    for database, role in process.databases.items():
        url = found[database.upper() + DATABASE_SUFFIX]
        assert (url.path, url.username, url.port) == (f"/{database}", role, 5432)
    if process.amqp_user:
        url = found["AMQP_URL"]
        assert (url.path, url.username, url.port) == (f"/{VHOST}", process.amqp_user, 5672)


@every_process
def test_every_password_is_the_one_that_its_server_was_given(process: Process) -> None:
    for url in urls(process.name).values():
        assert url.hostname is not None
        assert url.password == accounts_of(url.hostname)[url.username]


def accounts_of(server: str) -> dict[str | None, str]:
    """User -> password, as a server's container is set up."""
    if server == BROKER:
        return {user["name"]: user["password"] for user in definitions()["users"]}
    given = environment(server)
    accounts: dict[str | None, str] = {given["POSTGRES_USER"]: given["POSTGRES_PASSWORD"]}
    accounts |= {given["POSTGRES_DB"]: given["SERVICE_PASSWORD"]}
    roles = {"relay": "RELAY_PASSWORD", "auditor": "AUDITOR_PASSWORD"}
    return accounts | {role: given[password] for role, password in roles.items() if password in given}


def test_a_database_limits_the_connections_of_a_role_as_the_private_one_does() -> None:
    script = (ROOT / "docker" / "roles.sql").read_text()
    found = dict(re.findall(r"create role (\S+) login password \S+ connection limit (\d+);", script))
    names = {':"service"': "order_service", "auditor": "auditor", "relay": "relay"}
    assert {names[role]: int(limit) for role, limit in found.items()} == {
        role: connections_of(role) for role in names.values()
    }
    [most] = [word for word in SERVICES["orders-database"]["command"] if word.startswith("max_connections=")]
    assert int(most.partition("=")[2]) >= 40 + sum(map(int, found.values()))


def definitions() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(COMPOSE["configs"]["rabbitmq_definitions"]["content"])
    return content


def test_the_broker_grants_the_rights_that_the_code_grants() -> None:
    """All but those of the user for one relay of all services: here each has a relay of its own."""
    granted = {
        entry["user"]: {right: entry[right] for right in ("configure", "write", "read")}
        for entry in definitions()["permissions"]
        if entry["vhost"] == VHOST
    }
    known = {**PERMISSIONS, **{group: permissions_of(group) for group in GROUPS}}
    assert granted == {user: rights for user, rights in known.items() if user != RELAY_ROLE}
    assert not any(user["tags"] for user in definitions()["users"])
    assert all(user["limits"] == LIMITS for user in definitions()["users"])
    assert by_user(definitions()["topic_permissions"]) == by_user(topic_permissions())


def by_user(entries: Iterable[dict[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """By user and exchange."""
    return {(entry["user"], entry["exchange"]): entry for entry in entries}


def test_every_account_has_a_password_of_its_own() -> None:
    passwords = [user["password"] for user in definitions()["users"]]
    assert len(set(passwords)) == len(passwords)
    assert len({accounts_of(f"{name}-database")["relay"] for name in ("orders", "payments", "inventory")}) == 3


@every_process
def test_a_process_reaches_its_servers_and_waits_until_it_can_use_them(process: Process) -> None:
    own = SERVICES[process.name]
    for url in urls(process.name).values():
        assert url.hostname is not None
        for server in servers_at(url.hostname):
            assert set(own["networks"]) & set(SERVICES[server]["networks"])
    awaited = own["depends_on"]
    if process in (MIGRATE, TOPOLOGY):
        servers = {server for url in urls(process.name).values() for server in servers_at(str(url.hostname))}
        assert awaited.keys() == servers
        assert {server["condition"] for server in awaited.values()} == {"service_healthy"}
        assert {name for name in awaited if not awaited[name].get("required", True)} == servers & NODES - {"rabbitmq"}
    else:
        assert "migrate" in awaited or not process.databases
        assert "topology" in awaited or not process.amqp_user


def servers_at(host: str) -> set[str]:
    return NODES if host == BROKER else {host}


def test_the_nodes_of_a_cluster_have_one_name_and_one_cookie_and_data_of_their_own() -> None:
    for name in NODES:
        node = SERVICES[name]
        assert node["networks"] == {"broker": {"aliases": [BROKER]}}
        assert node["hostname"] == name
        joins = [config["source"] for config in node["configs"] if "cluster" in config["target"]]
        known = re.findall(r"rabbit@(\S+)", "".join(COMPOSE["configs"][source]["content"] for source in joins))
        assert not known or known == sorted(NODES)[: len(known)]
        assert len(known) == (0 if name == "rabbitmq" else int(name[-1]))
        assert node["configs"][: len(node["configs"]) - len(joins)] == SERVICES["rabbitmq"]["configs"]
        assert "broker_cookie:/keys/broker:ro" in node["volumes"]
    data = {volume for name in NODES for volume in SERVICES[name]["volumes"] if "/var/lib/rabbitmq" in volume}
    assert len(data) == len(NODES)
    assert {name for name in NODES if "profiles" not in SERVICES[name]} == {"rabbitmq"}


def test_each_database_is_alone_in_a_network_with_the_processes_of_its_service() -> None:
    for server in DATABASE_SERVERS:
        [network] = SERVICES[server]["networks"]
        inside = {name for name, service in SERVICES.items() if network in service.get("networks", [])}
        assert COMPOSE["networks"][network] == {"internal": True}
        assert inside - {server, "migrate", "ops"} == {
            process.name for process in PROCESSES if environment(server)["POSTGRES_DB"] in process.databases
        }


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_a_process_is_healthy_when_the_port_it_listens_on_says_ready(process: Process) -> None:
    service = SERVICES[process.name]
    check = service["healthcheck"]["test"][-1]
    assert f"/dev/tcp/127.0.0.1/{PORT}" in check
    assert "GET /readyz " in check
    settings = environment(process.name)
    listens = settings.get("HEALTH_PORT") or settings.get("HTTP_PORT") or service["command"][4]
    assert listens == str(PORT)
    assert all(published.endswith(f":{PORT}") for published in service.get("ports", []))


def test_a_health_check_passes_when_the_process_says_ready_and_fails_when_it_does_not_or_is_away() -> None:
    problems: list[str] = []
    port = choose(set())
    name = next(process.name for process in PROCESSES if not process.is_api)
    command = [part.replace("$$", "$") for part in SERVICES[name]["healthcheck"]["test"][1:]]
    command[-1] = command[-1].replace(f"/{PORT} ", f"/{port} ").replace(f"/{PORT}\n", f"/{port}\n")

    def passes() -> bool:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0

    assert not passes()
    serve_health(port, "127.0.0.1", lambda: problems)
    assert passes()
    problems.append("the broker is away")
    assert not passes()


def test_the_watched_processes_are_those_of_the_table_and_their_health_is_open_to_their_network() -> None:
    watched = {target.name: target.url for target in read_targets(COMPOSE["x-watching"]["MONITORED"])}
    assert watched == {process.name: f"http://{process.name}:{PORT}" for process in PROCESSES}
    apis = {name: f"http://{process.name}:{PORT}" for process in PROCESSES if process.is_api for name in process.serves}
    assert read_services(COMPOSE["x-watching"]["SERVICES"]) == apis
    for process in PROCESSES:
        hosts = {"HTTP_PORT": "HTTP_HOST", "HEALTH_PORT": "HEALTH_HOST"}
        for port in hosts.keys() & process.settings.keys():
            assert environment(process.name)[hosts[port]] == "0.0.0.0"
        assert set(SERVICES[process.name]["networks"]) & {"http", "broker", "cards"}


def test_servers_have_health_checks_and_the_versions_of_the_private_ones() -> None:
    for name in DATABASE_SERVERS | NODES:
        assert SERVICES[name]["image"] == (RABBITMQ_IMAGE if name in NODES else POSTGRES_IMAGE)
        assert SERVICES[name]["healthcheck"]["test"]


def test_an_api_is_open_to_its_network_and_has_the_time_that_its_last_requests_may_take() -> None:
    for name in APIS:
        assert environment(name)["HTTP_HOST"] == "0.0.0.0"
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > gunicorn_conf.graceful_timeout


def test_every_published_port_is_on_loopback_and_no_server_is_published() -> None:
    published = {name: port for name, service in SERVICES.items() for port in service.get("ports", [])}
    assert published.keys() == APIS | {"jaeger", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published.values())
    assert SERVERS == DATABASE_SERVERS | NODES | WATCHERS


def test_who_takes_spans_and_metrics_of_every_process_is_in_a_network_of_each() -> None:
    for name in ("otel-collector", "prometheus"):
        reached = set(SERVICES[name]["networks"])
        assert all(reached & set(SERVICES[process.name]["networks"]) for process in PROCESSES)
        assert reached & set(SERVICES["rabbitmq"]["networks"])
    assert not any(set(SERVICES[name]["networks"]) & {"orders", "payments", "inventory"} for name in WATCHERS)


def test_files_that_containers_read_are_there() -> None:
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume[0] == "."]
    assert len(mounted) == len(DATABASE_SERVERS) + 4
    assert all((ROOT / volume.split(":")[0]).exists() and volume.endswith(":ro") for volume in mounted)


def test_every_image_has_an_exact_version() -> None:
    images = {service["image"] for service in compose({})["services"].values()} - {"ordersaga"}
    assert all(re.search(r":v?\d+\.\d+(\.\d+)?$", image) for image in images), images


def test_every_container_is_limited_in_memory_processors_and_processes() -> None:
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory", "pids"}, name
    [watermark] = re.findall(r"watermark.absolute = (\d)GiB", COMPOSE["configs"]["rabbitmq"]["content"])
    assert SERVICES["rabbitmq"]["deploy"]["resources"]["limits"]["memory"] == f"{int(watermark) + 1}g"


@every_own_service
def test_our_containers_cannot_write_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_docker_compose_accepts_the_file() -> None:
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"]).returncode:
        pytest.skip("`docker compose` is not installed here")
    for profile in ("", "tools", "seed", "traffic", "cluster", "observability"):
        assert config(profile, {"DEV": "1"}) == ""
    own = dict.fromkeys(required(), "own")
    assert config("", own) == ""
    for neither in ({}, {"DEV": "0"}, {"DEV": ""}):
        assert 'Write your own passwords into .env (docs/GETTING_STARTED.md, "In containers"), or DEV=1' in config(
            "", neither
        )
    assert "PROVISIONER_PASSWORD" in config("", {**own, "PROVISIONER_PASSWORD": ""})


def config(profile: str, variables: Mapping[str, str]) -> str:
    """What Docker Compose says about the file; empty: it accepts it."""
    command = ["docker", "compose", "--env-file", "/dev/null", "--profile", profile, "config", "--quiet"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, cwd=ROOT, env={**environment, **variables}, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def test_no_password_is_left_out_where_they_are_asked_for_or_made() -> None:
    read = {name for name in variables() if name.endswith("_PASSWORD")}
    assert set(required()) == read
    [made] = re.findall(r"for name in ([A-Z_\s\\]+); do", (ROOT / "docs" / "GETTING_STARTED.md").read_text())
    assert {f"{name}_PASSWORD" for name in made.replace("\\", "").split()} == read


def test_no_log_of_a_container_grows_without_end() -> None:
    for name, service in SERVICES.items():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
