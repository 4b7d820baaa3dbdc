"""The relay daemon: publishes the outboxes of services until SIGTERM or SIGINT."""

import gc
import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ordersaga.relay.announced import Announced
from ordersaga.relay.dispatch import DRAIN_SECONDS
from ordersaga.relay.relay import Relay
from ordersaga.relay.session import UnsafeServer
from ordersaga.relay.settings import RelaySettings
from ordersaga.runtime import failpoints, telemetry
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.logs import configure_logging, log
from ordersaga.runtime.settings import MissingSetting, chosen_databases, read_settings
from ordersaga.runtime.signals import set_by_signal
from ordersaga.service import Service

UNSAFE = "--unsafe-durability"
MARGIN_SECONDS = 2

USAGE = """usage: python -m {program} [--unsafe-durability] [DATABASE ...]

Publishes the outbox of service databases to RabbitMQ: every message at least once, in order per key, and
marks as published only what the broker has confirmed. Consumers drop the copies that a crash can cause.

  DATABASE             a <NAME> of the environment in small letters; without any, all that it names
  --unsafe-durability  publish even with fsync or synchronous_commit off,
                       where a crash can take back what is already published

Environment:
  <NAME>_DATABASE_URL  postgresql://relay:password@host:port/<name>
                       The role needs what `ordersaga migrate` grants to `relay`.
  AMQP_URL             amqp://relay:password@host:port/vhost; of a cluster, one for each node with commas between
                       The user needs to write to the exchanges `events` and
                       `events.<group>`, which `ordersaga topology` declares.
  HEALTH_PORT          serves /healthz, /readyz and /metrics on loopback; unset: none
  RELAY_RETENTION_HOURS  published rows older than this are deleted from the outbox (default 24)
  RELAY_MAX_MESSAGE_BYTES  a larger body is not sent but recorded as undeliverable (default 16777216, the limit
                       of RabbitMQ 4)
  LOG_LEVEL, LOG_FORMAT=console|json
  OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER=otlp|console|none
                       records spans, and sends them there

Start as many as you like: one leads per database, the others stand by and take over within seconds when it dies.
A message that the broker refuses is recorded in the table `undeliverable` and tried again; later messages of its key
wait for it: see `ordersaga parked list`. A row of another service, over a limit, or of a contract that its service does
not announce is recorded there too, and never sent.
A queue that gives no answer is published around: only its messages wait, in the outbox, until it answers.
A relay waits for a server that is away. SIGTERM or Ctrl-C: it reads no more, waits up to ten seconds for the confirms
of messages in flight, moves the cursor, and exits 0. Exit 2: something must be changed first, and the text says what.
"""


def program() -> str:
    """The module that `python -m` started: this one, or a package of an application that calls `run`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else __name__


def of_services(urls: dict[str, str], services: Sequence[Service], named: Sequence[str]) -> dict[str, str]:
    """The databases of these services. Raises MissingSetting when another one is named."""
    known = {service.database for service in services}
    if others := [name for name in named if name not in known]:
        raise MissingSetting(f"{others[0]} is the database of no service. Name one of: {', '.join(sorted(known))}")
    return {name: url for name, url in urls.items() if name in known}


def run_relay(relay: Relay, stop: threading.Event, exit_codes: list[int]) -> None:
    """Run one relay in its thread; an unhandled error ends the process."""
    try:
        relay.run()
    except (UnsafeServer, UnusableDatabase) as error:
        log.error(f"{relay.database} is not published: {error}")
        exit_codes.append(2)
    except Exception:  # noqa: BLE001 - the last frame of the thread
        log.exception(f"the relay of {relay.database} cannot go on and ends, to be started again")
        exit_codes.append(1)
    finally:
        stop.set()


def serve(
    urls: Mapping[str, str], amqp_url: str, unsafe_durability: bool = False, services: Sequence[Service] = ()
) -> int:
    """Run a relay for each database of `urls` until SIGTERM or SIGINT. Returns the exit code.

    `services` are those of the application: a row must be of the source and of a contract of its own service, and their
    groups receive the messages. Without services, neither is checked.

    Raises:
        MissingSetting: a variable of the environment has an invalid value.
        OSError: HEALTH_PORT is taken.
    """
    settings = read_settings(RelaySettings)
    stop = threading.Event()
    set_by_signal(stop)
    retention_seconds, largest = 3600 * settings.relay_retention_hours, settings.relay_max_message_bytes
    groups = {service.group: service.contracts for service in services}
    announced = {service.database: announced_by(service) for service in services}
    relays = [
        Relay(name, url, amqp_url, stop, unsafe_durability, retention_seconds, largest, groups, announced.get(name))
        for name, url in urls.items()
    ]
    configure_logging(settings, " ".join(("relay", *urls)))
    telemetry.begin("-".join((*urls, "relay")), amqp_url)
    failpoints.begin()
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    serve_health(
        settings.health_port,
        settings.health_host,
        lambda: [text for relay in relays for text in relay.problems()],
        lambda: [text for relay in relays for text in relay.warnings()],
    )
    exit_codes: list[int] = []
    threads = [
        threading.Thread(target=run_relay, args=(relay, stop, exit_codes), name=relay.database, daemon=True)
        for relay in relays
    ]
    # What is imported lives as long as the relay; looking through it for garbage took 17 % of its CPU at 40 messages/s.
    gc.freeze()
    for thread in threads:
        thread.start()
    stop.wait()
    end = time.monotonic() + DRAIN_SECONDS + MARGIN_SECONDS
    for thread in threads:
        thread.join(end - time.monotonic())
    telemetry.end()
    return max(exit_codes, default=0)


def announced_by(service: Service) -> Announced:
    return Announced(service.announcements.source, frozenset(service.announcements.contracts))


def main(arguments: list[str], services: Sequence[Service] = ()) -> int:
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(USAGE.format(program=program()))
        return 0
    names = [argument for argument in arguments if argument != UNSAFE]
    settings = read_settings(RelaySettings)
    urls = chosen_databases(names, "publish", f"python -m {program()} --help")
    if services:
        urls = of_services(urls, services, names)
    return serve(urls, settings.broker_url, UNSAFE in arguments, services)


def run(services: Sequence[Service]) -> NoReturn:
    """Run the daemon of an application with the arguments of this process, and exit."""
    try:
        sys.exit(main(sys.argv[1:], tuple(services)))
    except (MissingSetting, OSError) as wrong:
        sys.stderr.write(f"relay: {wrong}\n")
        sys.exit(2)


if __name__ == "__main__":
    run(())
