"""The read side is rebuilt on the running stack while people ask it over HTTP and orders come in."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from devstack.demo.scenarios import PRODUCTS
from devstack.demo.traffic import Traffic
from devstack.state import ROOT
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

ASKED = ("/api/figures", "/api/sagas?limit=5", "/api/events?limit=1")


@dataclass
class Heard:
    """What was answered, in order."""

    refused: list[tuple[str, int]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)


def ask(stack: WholeStack, session: requests.Session, path: str, heard: Heard) -> Any:
    answer = session.get(stack.url("projections-api") + path, timeout=10)
    if answer.status_code != 200:
        heard.refused.append((path, answer.status_code))
        return None
    return answer.json()


@contextmanager
def asking(stack: WholeStack) -> Iterator[Heard]:
    heard, stopped = Heard(), threading.Event()

    def go_on() -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {stack.token('auditor', 'ada')}"
            while not stopped.is_set():
                figures, _, events = (ask(stack, session, path, heard) for path in ASKED)
                if figures and events:
                    heard.ended.append(figures["counts"]["confirmed"] + figures["counts"]["cancelled"])
                    heard.positions.append(events["events"][0]["position"])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield heard
    finally:
        stopped.set()
        thread.join()


def test_the_api_answers_all_through_a_rebuild_and_never_goes_backwards(stack: WholeStack) -> None:
    shop = stack.shop()
    for sku in PRODUCTS:
        shop.stock(sku, sku.title(), 350, 1000)
    traffic = Traffic(stack.shop, rate=5)
    traffic.start()
    try:
        until(lambda: traffic.placed >= 20)
        with asking(stack) as heard:
            until(lambda: len(heard.ended) >= 3)
            command = [
                sys.executable,
                "-m",
                "devstack",
                "projections",
                "rebuild",
                "--state",
                str(stack.state.directory),
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            after = len(heard.ended)
            until(lambda: len(heard.ended) >= after + 3)
    finally:
        traffic.stop()
    assert done.returncode == 0, done.stderr
    assert "No finding" in done.stdout
    assert heard.refused == []
    assert heard.ended == sorted(heard.ended)
    assert heard.positions == sorted(heard.positions)
    until(lambda: not stack.violations(), seconds=60, every=0.5)
