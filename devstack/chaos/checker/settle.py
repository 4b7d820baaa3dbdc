"""Settling: waits until a healed stack has nothing under way."""

import time
from collections.abc import Callable, Collection, Iterator

import pika.exceptions
import psycopg
import requests

from devstack.chaos.checker import drained, terminal
from devstack.chaos.checker.evidence import NO_LEDGER, Evidence
from devstack.chaos.stage import Stage
from devstack.demo.shop import ServiceRefused
from devstack.status import all_statuses

POLL_SECONDS = 0.5
AWAY = (psycopg.Error, requests.RequestException, ServiceRefused, OSError, pika.exceptions.AMQPError)


def settle(
    stage: Stage, limit: float, expected_parked: Collection[str] = (), say: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Wait until every process is ready and everything is drained and ended, for at most `limit` seconds.

    Returns what is not, each as a sentence; an empty list when all has settled. `say` is told what is waited for,
    whenever that changes.
    """
    end, last = time.monotonic() + limit, ""
    while True:
        missing = unsettled(stage, expected_parked)
        if not missing or time.monotonic() > end:
            return missing
        if missing[0] != last:
            last = missing[0]
            say(last)
        time.sleep(POLL_SECONDS)


def unsettled(stage: Stage, expected_parked: Collection[str] = ()) -> list[str]:
    """What is not settled; the cheap questions come first, and the later ones are asked when those have no answer."""
    try:
        with Evidence(stage.scene.application, (), NO_LEDGER, expected_parked) as evidence:
            for question in (not_ready(stage), not_drained(evidence), not_parked(evidence)):
                if found := list(question):
                    return found
        with Evidence.of(stage, (), expected_parked) as evidence:
            return [f"{offence.subject}: {offence.detail}." for offence in terminal.terminal(evidence).offences]
    except AWAY as error:
        return [f"A server does not answer: {error}"]


def not_ready(stage: Stage) -> Iterator[str]:
    for line in all_statuses(stage.scene.state, stage.scene.records):
        if not line.ready:
            yield f"{line.name} is not ready."


def not_drained(evidence: Evidence) -> Iterator[str]:
    for offence in drained.drained(evidence).offences:
        yield f"{offence.subject}: {offence.detail}."


def not_parked(evidence: Evidence) -> Iterator[str]:
    """Parked messages that will be tried again by themselves."""
    for name, messages in evidence.refused.items():
        for message in messages:
            if not (message.is_one_of(evidence.expected) or message.key in evidence.excused):
                yield f"Message {message.announced_id} is {message.state} in {name}: {message.reason}"
