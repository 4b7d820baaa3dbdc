"""Settings from the environment, read once; a package adds its own variables in its `settings.py`."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

DATABASE_SUFFIX = "_DATABASE_URL"
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]


def amqp_urls(text: str) -> list[str]:
    """The URLs of AMQP_URL: one, or one for each node of a cluster, with commas between them."""
    return re.split(r"[\s,]*,\s*(?=amqps?://)", text.strip(" \t\r\n,"))


def is_amqp_url(text: str) -> bool:
    """Whether pika can connect with each of its URLs; one with a user needs a password too."""
    from pika import URLParameters

    try:
        for url in amqp_urls(text):
            URLParameters(url)
    except (ValueError, IndexError, TypeError):
        return False
    return True


class MissingSetting(SystemExit):
    """A variable is missing or invalid; the text names it. Ends the process with exit code 2."""

    def __init__(self, text: str) -> None:
        super().__init__(2)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Settings(BaseSettings):
    """The variables that every worker and API reads, except `<NAME>_DATABASE_URL`.

    A service with its own variables derives a class, as with any pydantic settings, and passes it on:

        class LibrarySettings(Settings):
            lending_days: int = 28

        library = Service("library", announcements, reactions, settings=LibrarySettings)

    The variable is then LENDING_DAYS; MissingSetting names one that has an invalid value.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    amqp_url: str = ""
    """Of the broker; of a cluster, the URLs of its nodes with commas between them."""
    token_public_key: str = ""
    """Ed25519 public keys that verify bearer tokens: in PEM, one after the other, or a JWKS document."""
    token_public_key_file: str = ""
    """File with these keys, in place of the variable; an API notices when it changes."""
    token_issuer: str = "ordersaga"
    token_audience: str = "ordersaga"
    health_port: int = Field(default=0, ge=0, le=65535)
    """Loopback port of a worker's /healthz, /readyz and /metrics; 0 turns them off."""
    health_host: str = "127.0.0.1"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    """Host and port of an API; loopback by default."""
    http_read_seconds: float = Field(default=10, gt=0)
    """Seconds in which an API must have received a whole request, from its first byte."""
    personal_key_encryption_key: str = Field(default="", pattern=r"^([A-Za-z0-9+/_-]{43}=?)?$")
    """32 random bytes in base64 that wrap the keys of personal data; whoever loses them loses the data."""
    erasure_list: str = ""
    """File that lists erasures of personal data, outside the database: its backups contain erased keys."""
    saga_latency_limit_seconds: float = Field(default=3, gt=0)
    """An API refuses requests that begin a saga while those under way end later than this; see `http.admission`."""
    open_sagas_limit: int = Field(default=100_000, ge=0)
    """An API refuses them while so many sagas wait, for whatever reason; 0: any number may."""
    http_streams: int = Field(default=0, ge=0, le=1000)
    """Concurrent live streams of an API; each holds a thread beside those for requests."""
    queues_per_group: int | None = Field(default=None)
    """Queues of a new group, 2 if unset; `ordersaga queues set` changes an existing group."""
    groups_to_seed: str = ""
    """New groups, separated by spaces, that receive nothing before `ordersaga seed` has given them their history."""
    inbox_retention_days: float = Field(default=30, gt=0)
    """A worker purges older inbox rows and idempotency keys; a later repeat takes effect again."""
    lock_timeout_seconds: float | None = Field(default=None, gt=0)
    statement_timeout_seconds: float | None = Field(default=None, gt=0)
    idle_in_transaction_timeout_seconds: float | None = Field(default=None, gt=0)
    """Time limits of a worker's or an API's sessions in Postgres; see `runtime.sessions` for those of each kind."""
    log_level: LogLevel = "INFO"
    log_format: str = Field(default="console", pattern="^(console|json)$")
    access_log: bool = True
    """Whether an API logs a line for each request."""

    @property
    def broker_url(self) -> str:
        """AMQP_URL, for a process that connects.

        Raises:
            MissingSetting: it is not set, or no connection can be made from it.
        """
        if self.amqp_url and is_amqp_url(self.amqp_url):
            return self.amqp_url
        problem = "is no URL of a broker" if self.amqp_url else "is not set"
        raise MissingSetting(f"AMQP_URL {problem}. Set it to amqp://user:password@host:port/vhost")


SettingsType = TypeVar("SettingsType", bound=Settings)


def read_settings(kind: type[SettingsType], **overrides: Any) -> SettingsType:
    """The settings from the environment; `overrides` take precedence.

    Raises MissingSetting when a variable has an invalid value.
    """
    try:
        return kind(**overrides)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise MissingSetting(f"The environment has an invalid value. {wrong}") from None


def database_urls(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Database name -> URL, for every `<NAME>_DATABASE_URL` that is set."""
    environment = os.environ if environment is None else environment
    return {
        name.removesuffix(DATABASE_SUFFIX).lower(): url
        for name, url in environment.items()
        if name.endswith(DATABASE_SUFFIX) and url
    }


def chosen_databases(names: Sequence[str], purpose: str, usage: str) -> dict[str, str]:
    """Database name -> URL, of those that the arguments of a daemon name, or of all that the environment names.

    Args:
        purpose: of the daemon, such as "publish".
        usage: the command that explains more.

    Raises:
        MissingSetting: one is not set, none is, or a name is an option.
    """
    if options := [name for name in names if name.startswith("-")]:
        raise MissingSetting(f"There is no option {options[0]}. See {usage}")
    urls = database_urls()
    if not urls:
        raise MissingSetting(f"No <NAME>_DATABASE_URL is set, so there is nothing to {purpose}. See {usage}")
    for name in names:
        if name not in urls:
            raise MissingSetting(f"{url_variable(name)} is not set; it is needed to {purpose} {name}.")
    return distinct_databases({name: urls[name] for name in names or sorted(urls)})


def distinct_databases(urls: Mapping[str, str]) -> dict[str, str]:
    """The same URLs by name.

    Raises:
        MissingSetting: one is invalid, or two are of one database, whose outbox and inbox would serve two services.
    """
    names: dict[tuple[str, ...], str] = {}
    for name, url in urls.items():
        first = names.setdefault(place_of(name, url), name)
        if first != name:
            raise MissingSetting(
                f"{url_variable(first)} and {url_variable(name)} are URLs of one database. Give each service its own: "
                "outbox, inbox and parked messages belong to one service."
            )
    return dict(urls)


def place_of(name: str, url: str) -> tuple[str, ...]:
    """Host, port and database that a URL connects to, whatever its user and options. Raises MissingSetting."""
    found = parsed(name, url)
    host = found.get("hostaddr") or found.get("host", "")
    database = found.get("dbname") or found.get("user", "")
    return ("127.0.0.1" if host in ("localhost", "::1") else host, found.get("port", "5432"), database)


def pem_bytes(text: str) -> bytes:
    """A PEM text of the environment, whose files cannot contain line breaks, so that it may have \\n for each."""
    return text.replace("\\n", "\n").encode()


def url_variable(database: str) -> str:
    """The variable that holds the URL of a database."""
    return database.upper() + DATABASE_SUFFIX


def database_url(name: str) -> str:
    """The URL of a database, from `<NAME>_DATABASE_URL`.

    Raises:
        MissingSetting: it is not set, or no connection can be made from it.
    """
    url = database_urls().get(name, "")
    parsed(name, url)
    return url


def parsed(name: str, url: str) -> dict[str, str]:
    """The parameters of the URL of a database. Raises MissingSetting."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        if url:
            return {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:
        pass
    problem = "is no URL of a database" if url else "is not set"
    raise MissingSetting(f"{url_variable(name)} {problem}. Set it to postgresql://user:password@host:port/{name}")
