"""A service's API as it runs in production: a gunicorn of its own, on a database of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import psutil
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from devstack.ports import LOOPBACK, choose
from ordersaga.http.tokens import issue
from tests.support.counting import GROUP
from tests.support.databases import Database, Databases
from tests.support.forked import Forked
from tests.support.wait import until

ROOT = Path(__file__).resolve().parents[2]
LIFETIME = timedelta(hours=2)
"""Of a token: longer than any test run."""


@cache
def keys() -> tuple[str, str]:
    """A private and a public Ed25519 key as PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def personal_key() -> str:
    """What wraps the keys of personal data."""
    return token_urlsafe(32)


def token(role: str = "customer", subject: str = "alice") -> str:
    return issue(keys()[0], role, subject, LIFETIME)


def environment(database: Database, port: int) -> dict[str, str]:
    variables = {f"{database.role.upper()}_DATABASE_URL": database.url, "TOKEN_PUBLIC_KEY": keys()[1]}
    variables |= {"PERSONAL_KEY_ENCRYPTION_KEY": personal_key()}
    return {**os.environ, **variables, "HTTP_PORT": str(port)}


def gunicorn(package: str) -> list[str]:
    """The command that serves a package's API, or the counting service's."""
    module = "tests.support.counting_api" if package == GROUP else f"{package}.api"
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:ordersaga.http.gunicorn_conf",
        f"{module}:create_app()",
    ]


@dataclass(frozen=True)
class Api:
    """A running API and its database."""

    url: str
    database: Database
    log: Path
    process: "subprocess.Popen[bytes]"

    def call(
        self,
        method: str,
        path: str,
        caller: str | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        """`caller` is a token."""
        signed = {"Authorization": f"Bearer {caller}"} if caller else {}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                self.url + path,
                headers={**signed, **(headers or {})},
                timeout=40,
                allow_redirects=False,
                **options,
            )

    def count(self, *tables: str) -> dict[str, int]:
        """Rows of each table; by default of all that a request may write to."""
        names = tables or ("stored_events", "outbox", "idempotency_keys", "deadlines", "snapshots")
        return {name: self.database.rows(f"select count(*) from {name}")[0][0] for name in names}  # noqa: S608


@contextmanager
def running(
    database: Database, directory: Path, is_up: Callable[[Api], bool] | None = None, **settings: str
) -> Iterator[Api]:
    """The API of the database's service, up (by default: ready) for as long as the block lasts."""
    port, log = choose(set()), directory / f"{database.name}.log"
    with log.open("wb") as output:
        variables = {**environment(database, port), "ERASURE_LIST": str(directory / "erasures.jsonl")}
        process = Forked(gunicorn(database.role)[1:], variables | settings, output.fileno(), signal.SIGQUIT)
    api = Api(f"http://{LOOPBACK}:{port}", database, log, process)
    try:
        until(lambda: process.poll() is not None or (is_up or is_ready)(api), seconds=30)
        assert process.poll() is None, log.read_text()
        yield api
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Raises TimeoutExpired when it takes more than thirty seconds; nothing of it is left then either."""
    workers = psutil.Process(process.pid).children() if process.poll() is None else []
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        process.wait(30)
        raise


@contextmanager
def serving(servers: Any, package: str, directory: Path) -> Iterator[Api]:
    """A running API on a fresh database that lasts as long as the block, be it a module of tests."""
    databases = Databases(servers.postgres)
    try:
        with running(databases(package), directory) as api:
            yield api
    finally:
        databases.drop_clones()


def is_ready(api: Api) -> bool:
    try:
        return api.call("GET", "/readyz").status_code == 200
    except requests.ConnectionError:
        return False


def is_alive(api: Api) -> bool:
    try:
        return api.call("GET", "/healthz").status_code == 200
    except requests.ConnectionError:
        return False
