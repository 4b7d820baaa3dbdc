"""docs/CLIENT.md is followed to the letter, over a connection that loses answers."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.state import ROOT
from tests.shop.support.whole_stack import WholeStack

CODE = re.compile(r"```python\n# client.py\n(.*?)```", re.DOTALL)
CUSTOMER = "client-of-the-page"
MISHAPS = ["lost", "busy", "in flight", "", "past", "past"]
"""What happens to the requests in turn; then nothing does."""


class Lossy(BaseHTTPRequestHandler):
    """Passes requests on to the API, with mishaps."""

    api: str
    mishaps: Iterator[str]
    said: list[tuple[str, str, int]]

    def pass_on(self) -> None:
        mishap, body = next(self.mishaps, ""), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Prefer")}
        path = f"{self.path}?as_of=1" if mishap == "past" else self.path
        if mishap in ("busy", "in flight"):
            self.answer(503 if mishap == "busy" else 409, {"Retry-After": "0"}, b"")
            return
        answer = requests.request(self.command, self.api + path, headers=headers, data=body, timeout=30)
        if mishap == "lost":
            self.said.append((self.command, mishap, answer.status_code))
            self.connection.close()
            return
        kept = {name: answer.headers[name] for name in ("Content-Type", "ETag") if name in answer.headers}
        self.answer(answer.status_code, kept, answer.content)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.said.append((self.command, self.path, status))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = pass_on

    def log_message(self, *_: Any) -> None:
        """Nothing: a test has no access log."""


@contextmanager
def lossy(api: str, mishaps: list[str]) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """The API's address behind the connection, and what was answered there."""
    said: list[tuple[str, str, int]] = []
    handler = type("OfThisApi", (Lossy,), {"api": api, "mishaps": iter(mishaps), "said": said})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", said
        server.shutdown()


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """The code of the page."""
    [code] = CODE.findall((ROOT / "docs" / "CLIENT.md").read_text())
    path = tmp_path / "client.py"
    path.write_text(code)
    return path


def run(client: Path, stack: WholeStack, orders: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"ORDERS": orders, "CUSTOMER": f"Authorization: Bearer {stack.token('customer', CUSTOMER)}"}
    command = [sys.executable, str(client), *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False)


def test_the_client_of_the_page_places_an_order_once_over_a_connection_that_loses_answers(
    stack: WholeStack, client: Path
) -> None:
    with lossy(stack.url("orders-api"), MISHAPS) as (address, said):
        first = run(client, stack, address, "basket-1", "tea", "2")
        assert first.returncode == 0, first.stderr
        order_id, state = first.stdout.splitlines()[0].split()
        assert state == "confirmed"
        assert [status for method, _, status in said if method == "POST"] == [202, 503, 409, 202]
        polls = [status for method, path, status in said if path.startswith(f"/orders/{order_id}")]
        assert (polls[:2], polls[-1]) == ([304, 304], 200)
        again = run(client, stack, address, "basket-1", "tea", "2")
        assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0]
        assert len(again.stdout.splitlines()) == 2, "one order, and its line in the list"
        refused = run(client, stack, address, "basket-2", "unicorn", "1")
        assert refused.returncode == 1
        assert "lines.0.sku: no product 'unicorn' is on the price list" in refused.stderr
