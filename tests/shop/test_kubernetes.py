"""kubernetes/ runs what the code is: the processes, commands, accounts and rights of the table, in narrow bounds."""

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from devstack.processes import APP, GROUPS, MIGRATE, PROCESSES, RELAY_ROLE, TOPOLOGY, Process
from devstack.servers.databases import connections_of
from devstack.servers.rabbitmq_users import LIMITS, PERMISSIONS, VHOST, permissions_of, topic_permissions
from ordersaga.audit.note import Signer
from ordersaga.http import gunicorn_conf
from ordersaga.http.tokens import public_key
from ordersaga.runtime.settings import DATABASE_SUFFIX
from projections.monitor.targets import read_services, read_targets
from tests.shop.support.compose import variables
from tests.shop.support.kubernetes import BASE, EXAMPLE, Manifest, Pods, pods_of, render
from tests.shop.test_compose import READ_BY_OPENTELEMETRY, SETTINGS, settings_of

OLDEST = "1.30.0"
"""The first version of Kubernetes that takes all fields of the manifests without a feature gate."""
PORT = 8080
OPS = "ops"
"""Runs no process, but operators' commands."""
MANIFESTS = render(BASE)
PODS = pods_of(MANIFESTS)
OURS = [process for process in PROCESSES if not process.outside]
IN_THE_EXAMPLE = render(EXAMPLE)
SIMULATOR = pods_of(IN_THE_EXAMPLE)["simulator"]

every_process = pytest.mark.parametrize("process", [*OURS, MIGRATE, TOPOLOGY], ids=lambda process: process.name)
every_pod = pytest.mark.parametrize("pods", [*PODS.values(), SIMULATOR], ids=lambda pods: pods.name)
every_process_pod = pytest.mark.parametrize(
    "pods", [PODS[process.name] for process in OURS], ids=lambda pods: pods.name
)


def of_kind(kind: str, manifests: list[Manifest] = MANIFESTS) -> dict[str, Any]:
    """Name -> spec."""
    return {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == kind}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that `secrets.sh` makes."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copy(EXAMPLE / "secrets.sh", folder)
    for _ in range(2):
        subprocess.run(["sh", folder / "secrets.sh"], check=True, capture_output=True, timeout=60)
    return folder / "secrets"


def test_the_process_table_runs_one_to_one() -> None:
    assert PODS.keys() == {process.name for process in (*OURS, MIGRATE, TOPOLOGY)} | {OPS}
    assert pods_of(IN_THE_EXAMPLE).keys() - PODS.keys() == {process.name for process in PROCESSES if process.outside}


@every_process
def test_a_process_is_started_with_the_command_of_the_table(process: Process) -> None:
    assert PODS[process.name].container["args"] == ["python", *process.arguments]
    assert "command" not in PODS[process.name].container  # the image's entry point stays


def test_the_simulator_is_started_with_the_command_of_the_table() -> None:
    [table] = [process for process in PROCESSES if process.outside]
    filled = {"{port}": str(PORT), "{ledger}": "/ledger/ledger.sqlite"}
    arguments = [filled.get(argument, argument) for argument in table.arguments]
    assert SIMULATOR.container["args"] == ["python", *arguments, "--host", "0.0.0.0"]


@every_process
def test_a_process_has_the_settings_of_the_table_and_those_that_a_user_may_set(process: Process) -> None:
    given = PODS[process.name].environment
    read = {name.upper() for kind in settings_of(process) for name in kind.model_fields}
    assert given.keys() >= {*process.settings} | (set(process.passed_on) & read)


@every_process
def test_every_variable_is_one_that_the_code_reads(process: Process) -> None:
    known = {field.upper() for kind in SETTINGS for field in kind.model_fields} | READ_BY_OPENTELEMETRY
    known |= {group.upper() + DATABASE_SUFFIX for group in GROUPS}
    pods = PODS[process.name]
    given = pods.environment.keys() - {name for name in pods.secrets if name.endswith("PASSWORD")}
    assert {name.removesuffix("_FILE") for name in given} <= known


def test_settings_have_the_defaults_of_compose() -> None:
    settings = PODS["orders-api"].config["settings"]
    differing = {"LOG_FORMAT", "STRIPE_API_BASE"}
    shared = settings.keys() & variables().keys() - differing
    assert {name: settings[name] for name in shared} == {name: variables()[name] for name in shared}
    assert {name for process in PROCESSES for name in process.passed_on} <= settings.keys()


@every_process
def test_a_process_signs_in_as_the_accounts_of_the_table_with_the_password_of_each(
    process: Process, secrets: Path
) -> None:
    pods = PODS[process.name]
    accounts = {name: urlsplit(value) for name, value in pods.environment.items() if "://" in value and "@" in value}
    expected = {database.upper() + DATABASE_SUFFIX: (role, database) for database, role in process.databases.items()}
    expected |= {"AMQP_URL": (process.amqp_user, VHOST)} if process.amqp_user else {}
    assert {name: (url.username, url.path[1:]) for name, url in accounts.items()} == expected
    for url in accounts.values():
        written = dict(line.split("=") for line in (secrets / f"{url.password}.env").read_text().splitlines())
        assert written["username"] == url.username
        assert re.fullmatch("[0-9a-f]{48}", written["password"])


@every_process
def test_a_process_reaches_its_own_databases_and_the_broker_and_nothing_else(process: Process) -> None:
    pods = PODS[process.name]
    hosts = {urlsplit(value).hostname for value in pods.environment.values() if "://" in value and "@" in value}
    servers = {str(host).removesuffix("-rw").replace("rabbitmq", "broker") for host in hosts}
    beyond = {"payments-worker": {"card-processor"}, "webhooks": {"internet"}}.get(process.name, set())
    reached = {label.removeprefix("ordersaga/") for label in pods.labels if label.startswith("ordersaga/")}
    assert reached == servers | beyond
    for name in reached:
        policy = of_kind("NetworkPolicy")[name]
        assert policy["podSelector"] == {"matchLabels": {f"ordersaga/{name}": "reached"}}
        assert policy["policyTypes"] == ["Egress"]


def test_a_pod_is_reached_and_reaches_by_policies_alone() -> None:
    policies = of_kind("NetworkPolicy")
    everything = {"matchLabels": {"app.kubernetes.io/part-of": "ordersaga"}}
    assert policies["nothing-by-default"] == {"podSelector": everything, "policyTypes": ["Ingress", "Egress"]}
    leading_out = {name for name, policy in policies.items() if "ipBlock" in str(policy)}
    assert leading_out == {"card-processor", "internet"}
    assert all(pods.labels["app.kubernetes.io/part-of"] == "ordersaga" for pods in (*PODS.values(), SIMULATOR))
    opened = {name: policy["podSelector"] for name, policy in policies.items() if "ingress" in policy}
    assert opened == {
        "watched": everything,
        "callers": {"matchLabels": {"app.kubernetes.io/component": "api"}},
    }


def test_a_server_lets_in_those_who_reach_it() -> None:
    for group in ("orders", "payments", "inventory", "projections"):
        name = f"{group}-database"
        [ours, own] = of_kind("NetworkPolicy", IN_THE_EXAMPLE)[f"to-{name}"]["ingress"]
        reaching = [{"podSelector": {"matchLabels": {f"ordersaga/{name}": "reached"}}}]
        assert ours == {"from": reaching, "ports": [{"port": 5432}]}
        assert own["from"][0] == {"podSelector": {"matchLabels": {"cnpg.io/cluster": name}}}
        [egress] = of_kind("NetworkPolicy")[name]["egress"]
        assert egress == {"to": own["from"][:1], "ports": [{"port": 5432}]}


@every_pod
def test_our_containers_cannot_write_gain_rights_or_take_more_than_their_share(pods: Pods) -> None:
    spec, container = pods.spec, pods.container
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert all(volume.get("emptyDir", {"sizeLimit": 1}).get("sizeLimit") for volume in spec["volumes"])


@pytest.mark.parametrize("pods", [*(PODS[process.name] for process in OURS), SIMULATOR], ids=lambda pods: pods.name)
def test_a_process_is_started_ready_and_alive_when_the_port_it_listens_on_says_so(pods: Pods) -> None:
    paths = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    assert {probe: pods.container[probe]["httpGet"] for probe in paths} == {
        probe: {"path": path, "port": "http"} for probe, path in paths.items()
    }
    assert pods.container["ports"] == [{"name": "http", "containerPort": PORT}]
    if pods is not SIMULATOR:
        given = pods.environment
        assert {given["HTTP_HOST"], given["HEALTH_HOST"]} == {"0.0.0.0"}
        assert {given["HTTP_PORT"], given["HEALTH_PORT"]} == {str(PORT)}


def test_an_api_serves_until_every_node_knows_that_it_ends_and_then_has_the_time_of_its_last_requests() -> None:
    for process in OURS:
        pods = PODS[process.name]
        pause = pods.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert bool(pause) == process.is_api
        longest = gunicorn_conf.graceful_timeout if process.is_api else 20
        assert pods.spec["terminationGracePeriodSeconds"] > pause + longest


def test_what_has_replicas_keeps_one_of_them_while_nodes_are_drained_and_spreads_them() -> None:
    replicas = {process.name: PODS[process.name].manifest["spec"]["replicas"] for process in OURS}
    assert {name for name, number in replicas.items() if number == 1} == {"audit-sealer", "webhooks"}
    budgets = of_kind("PodDisruptionBudget")
    assert budgets.keys() == {name for name, number in replicas.items() if number > 1}
    for name, budget in budgets.items():
        assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": name}}}
        assert PODS[name].spec["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert PODS["audit-sealer"].manifest["spec"]["strategy"] == {"type": "Recreate"}


def test_the_watched_processes_are_those_of_the_table_and_each_relay_is_watched_by_itself() -> None:
    given = PODS["projections-api"].environment
    expected: dict[str, str] = {}
    for process in OURS:
        manifest = PODS[process.name].manifest
        if manifest["kind"] == "StatefulSet":
            assert RELAY_ROLE in process.databases.values()
            assert of_kind("Service")[process.name]["clusterIP"] == "None"
            pods = [f"{process.name}-{number}" for number in range(manifest["spec"]["replicas"])]
            expected |= {pod: f"http://{pod}.{manifest['spec']['serviceName']}:{PORT}" for pod in pods}
        else:
            expected[process.name] = f"http://{process.name}:{PORT}"
    targets = read_targets(given["MONITORED"])
    assert {target.name: target.url for target in targets} == expected
    assert {target.kind for target in targets} == {process.name.rpartition("-")[2] for process in OURS}
    apis = {name: f"http://{process.name}:{PORT}" for process in OURS if process.is_api for name in process.serves}
    assert read_services(given["SERVICES"]) == apis
    nodes = of_kind("RabbitmqCluster", IN_THE_EXAMPLE)["rabbitmq"]["replicas"]
    of_nodes = [f"http://rabbitmq-server-{number}.rabbitmq-nodes:15692" for number in range(nodes)]
    assert given["BROKER_METRICS_URL"].split() == of_nodes
    for process in OURS:
        assert of_kind("Service")[process.name]["selector"] == {"app.kubernetes.io/name": process.name}


def test_the_sealed_log_and_the_list_of_erasures_are_shared_by_those_who_use_them() -> None:
    mounted: defaultdict[tuple[str, bool], set[str]] = defaultdict(set)
    for pods in PODS.values():
        for volume in pods.spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                mounted[claim["claimName"], claim.get("readOnly", False)].add(pods.name)
    assert mounted == {
        ("audit-log", False): {"audit-sealer"},
        ("audit-log", True): {"projections-api", OPS},
        ("erasures", False): {"orders-api", "migrate", OPS},
    }
    claims = of_kind("PersistentVolumeClaim")
    assert {name: claim["accessModes"] for name, claim in claims.items()} == {
        "audit-log": ["ReadWriteMany"],
        "erasures": ["ReadWriteMany"],
    }


def test_every_secret_is_made_by_the_script_of_the_example_and_used(secrets: Path) -> None:
    kustomization = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    made = {
        (each["name"], key)
        for each in kustomization["secretGenerator"]
        for name in (*each.get("envs", []), *each.get("files", []))
        for key in keys_in(secrets.parent / name)
    }
    referenced = {reference for pods in PODS.values() for reference in pods.secrets.values()}
    referenced |= {file for pods in PODS.values() for file in mounted_files(pods)}
    assert referenced <= made
    assert {name for name, _ in made} == {name for name, _ in referenced}
    named = {match["name"] for match in re.finditer(r"[sS]ecret: \{name: (?P<name>\S+?)\}", servers_of_the_example())}
    assert named <= {name for name, _ in made}
    assert (EXAMPLE / ".gitignore").read_text() == "/secrets/\n"


def mounted_files(pods: Pods) -> Iterator[tuple[str, str]]:
    """Name and key of each Secret that a pod mounts, with the file of it that a variable names."""
    places = {mount["name"]: mount["mountPath"] for mount in pods.container["volumeMounts"]}
    for volume in pods.spec["volumes"]:
        if "secret" in volume:
            [file] = [value for value in pods.environment.values() if value.startswith(places[volume["name"]])]
            yield volume["secret"]["secretName"], file.rpartition("/")[2]


def keys_in(file: Path) -> list[str]:
    return [line.partition("=")[0] for line in file.read_text().splitlines()] if file.suffix == ".env" else [file.name]


def servers_of_the_example() -> str:
    return "".join((EXAMPLE / name).read_text() for name in ("databases.yaml", "broker.yaml"))


def test_the_keys_of_the_example_are_ones_that_the_code_takes(secrets: Path) -> None:
    Signer.from_pem((secrets / "audit_private_key.pem").read_text())
    public_key((secrets / "token_public_key.pem").read_text())
    for name in ("personal_key_encryption_key", "webhook_secrets_key"):
        kinds = [kind for kind in SETTINGS if name in kind.model_fields]
        assert kinds
        for kind in kinds:
            kind(**{name: (secrets / name).read_text()})  # type: ignore[arg-type]


def test_the_broker_of_the_example_grants_the_rights_that_the_code_grants() -> None:
    granted = {
        spec["userReference"]["name"]: spec["permissions"] for spec in of_kind("Permission", IN_THE_EXAMPLE).values()
    }
    known = {**PERMISSIONS, **{group: permissions_of(group) for group in GROUPS}}
    assert granted == {user.replace("_", "-"): rights for user, rights in known.items() if user != RELAY_ROLE}
    users = of_kind("User", IN_THE_EXAMPLE)
    assert users.keys() == granted.keys()
    limits = {"connections": LIMITS["max-connections"], "channels": LIMITS["max-channels"]}
    assert all(user["limits"] == limits and "tags" not in user for user in users.values())
    assert sorted(topics_of_the_example()) == sorted(
        (each["user"].replace("_", "-"), each["exchange"], each["write"], each["read"]) for each in topic_permissions()
    )


def topics_of_the_example() -> Iterator[tuple[str, str, str, str]]:
    for spec in of_kind("TopicPermission", IN_THE_EXAMPLE).values():
        rights = spec["permissions"]
        yield spec["userReference"]["name"], rights["exchange"], rights["write"], rights["read"]


def test_the_databases_of_the_example_have_the_roles_of_the_table_and_their_limits() -> None:
    clusters = of_kind("Cluster", IN_THE_EXAMPLE)
    for name, cluster in clusters.items():
        database = cluster["bootstrap"]["initdb"]["database"]
        assert {f"{name}-rw"} == {
            urlsplit(pods.environment[variable]).hostname
            for pods in PODS.values()
            if (variable := database.upper() + DATABASE_SUFFIX) in pods.environment
        }
        roles = {role["name"]: role["connectionLimit"] for role in cluster["managed"]["roles"]}
        used = {role for process in OURS for base, role in process.databases.items() if base == database}
        assert roles.keys() >= used
        assert roles == {role: connections_of(role) for role in roles}
        assert int(cluster["postgresql"]["parameters"]["max_connections"]) >= 40 + sum(roles.values())
    assert {cluster["bootstrap"]["initdb"]["database"] for cluster in clusters.values()} == set(GROUPS)


def test_the_manifests_follow_the_schemas_of_kubernetes() -> None:
    known = [
        each for each in IN_THE_EXAMPLE if not each["apiVersion"].startswith(("rabbitmq.com", "postgresql.cnpg.io"))
    ]
    assert len(known) > len(MANIFESTS)
    for each in known:
        kubernetes_validate.validate(each, OLDEST, strict=True)


def test_kubectl_renders_the_same() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("`kubectl` is not installed here; the other tests read the manifests without it")
    done = subprocess.run(["kubectl", "kustomize", BASE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    theirs = [without_hash(each) for each in yaml.safe_load_all(done.stdout)]
    assert by_name(theirs) == by_name(MANIFESTS)


def without_hash(manifest: Manifest) -> Manifest:
    """Without what kustomize adds: the namespace, and the hash at the end of a name."""
    assert manifest["metadata"].pop("namespace") == "ordersaga"
    text = re.sub(r"settings-[a-z0-9]{10}\b", "settings", yaml.safe_dump(manifest))
    changed: Manifest = yaml.safe_load(text)
    return changed


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def test_the_application_is_the_one_of_the_stack() -> None:
    assert all(APP in PODS[step.name].container["args"] for step in (MIGRATE, TOPOLOGY))


def test_operators_commands_have_the_accounts_and_keys_of_all_and_run_only_when_they_are_wanted(secrets: Path) -> None:
    pods = PODS[OPS]
    assert pods.manifest["spec"]["replicas"] == 0
    accounts = {name: urlsplit(value) for name, value in pods.environment.items() if "://" in value and "@" in value}
    owners = {database.upper() + DATABASE_SUFFIX: (role, database) for database, role in MIGRATE.databases.items()}
    expected = {**owners, "AMQP_URL": (TOPOLOGY.amqp_user, VHOST)}
    assert {name: (url.username, url.path[1:]) for name, url in accounts.items()} == expected
    keys = {name for process in OURS for name in PODS[process.name].secrets if not name.endswith("PASSWORD")}
    assert pods.secrets.keys() >= keys
    reached = {label for process in (*OURS, MIGRATE) for label in PODS[process.name].labels}
    assert {label for label in reached if label.startswith("ordersaga/")} - pods.labels.keys() == {"ordersaga/internet"}
