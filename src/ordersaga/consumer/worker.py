"""The worker process of a service: consumer, retries and deadlines of one group, until SIGTERM or SIGINT."""

import gc
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg import Connection

from ordersaga.consumer.background import Background
from ordersaga.consumer.consumer import Consumer
from ordersaga.consumer.deadlines import Deadlines
from ordersaga.consumer.gate import GatedLink
from ordersaga.consumer.housekeeping import Housekeeping
from ordersaga.consumer.receiver import Receiver
from ordersaga.database.doorbell import Doorbell
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.parked.retries import Retries
from ordersaga.parked.retry_runner import RetryRunner
from ordersaga.runtime import failpoints, telemetry
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.health import serve_health
from ordersaga.runtime.logs import configure_logging, log
from ordersaga.runtime.sessions import WORKER, adjusted
from ordersaga.runtime.settings import MissingSetting, Settings, read_settings, url_variable
from ordersaga.runtime.signals import set_by_signal
from ordersaga.service import Service

LOGGED_BY_LINKS = ("pika", "psycopg.pool")
"""Libraries that log every failed attempt; a link logs only when its server goes away or comes back."""

RETRY_LOCK_SECONDS = 1.0
"""A parked message that needs a locked row waits in its table, and lets the attempts at others go first."""

USAGE = """usage: python -m {service}

The worker of {service}: receives messages from the group's queues, each once and in order per key, retries parked
messages, and reacts to deadlines.

Environment:
  {variable:20} postgresql://{role}:password@host:port/{database}
  AMQP_URL             amqp://{group}:password@host:port/vhost; of a cluster, one for each node with commas between
  HEALTH_PORT          serves /healthz, /readyz and /metrics on loopback; unset: none
  INBOX_RETENTION_DAYS inbox rows are purged after so many days (default 30)
  LOCK_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS, IDLE_IN_TRANSACTION_TIMEOUT_SECONDS
                       limits of its transactions (default 10, 30, 5): raise one that stops a reaction
  LOG_LEVEL, LOG_FORMAT=console|json
  OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER=otlp|console|none
                       records spans, and sends them there
{own}
Start as many as you like; they share the queues. The worker waits for servers that are away. On SIGTERM or Ctrl-C it
handles the messages in hand and exits 0. Exit 2: something must be changed first, and the text says what.
"""


def run(service: Service) -> int:
    """Run the worker of a service with the arguments of this process. Returns the exit code."""
    if arguments := sys.argv[1:]:
        return explain(service, arguments)
    return serve(service)


def serve(service: Service) -> int:
    """Consume until SIGTERM or SIGINT. Returns the exit code."""
    try:
        settings = read_settings(service.settings)
        configure_logging(settings, f"{service.name} worker")
        telemetry.begin(f"{service.name}-worker", settings.amqp_url, service.group)
        failpoints.begin()
        worker = Worker(settings, service)
        serve_health(settings.health_port, settings.health_host, worker.problems, worker.warnings)
    except (MissingSetting, ValueError, OSError) as wrong:
        sys.stderr.write(f"{service.name}: {wrong}\n")
        return 2
    set_by_signal(worker.stopping)
    try:
        return worker.run()
    finally:
        telemetry.end()


def explain(service: Service, arguments: list[str]) -> int:
    """Print the usage: to stdout for --help, else to stderr, because the worker takes no arguments."""
    asked = arguments[0] in ("-h", "--help")
    (sys.stdout if asked else sys.stderr).write(usage(service))
    return 0 if asked else 2


def usage(service: Service) -> str:
    own = service.settings.model_fields.keys() - Settings.model_fields.keys()
    listed = f"  {', '.join(sorted(own)).upper()}\n" if own else ""
    return USAGE.format(
        service=service.name,
        group=service.group,
        role=service.role,
        database=service.database,
        variable=url_variable(service.database),
        own=listed,
    )


class Worker:
    """The threads of one process and what they share."""

    def __init__(self, settings: Settings, service: Service) -> None:
        amqp_url = settings.broker_url
        url, group, handler = service.database_url, service.group, service.handler()
        limits = adjusted(WORKER, settings)
        of_retries = replace(limits, lock=min(limits.lock, RETRY_LOCK_SECONDS))
        self.stopping = threading.Event()
        self.outside = OutsideSteps(
            service.reactions,
            service.announcements,
            service.resources(settings),
            url,
            self.stopping,
            limits,
            service.limits(settings),
        )
        self.database = GatedLink("database", url, limits, f"{service.name} worker")
        self.doorbell = Doorbell(url, f"{service.name} worker's doorbell", limits)
        ring = self.doorbell.ring
        receiver = Receiver(group, handler, ring)
        self.consumer = Consumer(group, amqp_url, receiver, self.outside, self.database, self.stopping)
        retries = Retries(handler, self.outside, ring)
        housekeeping = Housekeeping(group, timedelta(days=settings.inbox_retention_days))
        chores = in_turn(housekeeping.step, RetryRunner().step)
        name = service.name
        self.background = [
            Background(
                "retries", url, retries.step, self.stopping, retries.stop, of_retries, session=f"{name} retries"
            ),
            Background("housekeeping", url, chores, self.stopping, limits=limits, session=f"{name} housekeeping"),
        ]
        if service.reactions.deadlines:
            step = Deadlines(service.reactions, service.announcements, ring).step
            self.background.append(
                Background("deadlines", url, step, self.stopping, limits=limits, session=f"{name} deadlines")
            )

    def problems(self) -> list[str]:
        """The reasons why this process cannot work now, each a sentence."""
        links = [self.consumer.broker, self.database, *(task.link for task in self.background)]
        return [link.problem for link in links if link.problem] + self.outside.problems

    def warnings(self) -> list[str]:
        """What a person should know although the process works."""
        return self.consumer.pausing.warnings

    def run(self) -> int:
        """Work until `stopping` is set. Returns the exit code."""
        for name in LOGGED_BY_LINKS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        tune_gc()
        with self.outside:
            for task in self.background:
                task.start()
            try:
                self.consumer.run()
                return 0
            except UnusableDatabase as error:
                log.error(f"the worker cannot use its database: {error}")
                return 2
            except Exception:  # noqa: BLE001 - the last frame of the process
                log.exception("the worker cannot go on and ends, to be started again")
                return 1
            finally:
                self.stopping.set()
                for task in self.background:
                    task.join()
                self.database.close()
                self.doorbell.close()


def in_turn(*steps: Callable[[Connection[Any]], float]) -> Callable[[Connection[Any]], float]:
    """One step that takes all of these, on one connection. It returns the shortest of their pauses."""

    def step(connection: Connection[Any]) -> float:
        return min([each(connection) for each in steps])

    return step


def tune_gc() -> None:
    """Collect less often: a batch makes many objects that live until its commit, and scanning them took 17 % of CPU."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
