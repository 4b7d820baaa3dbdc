"""Commands for a person at a shell, on a running stack: examples of the documents, psql, addresses of pages."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from click.testing import CliRunner

from devstack.open import open_
from devstack.state import IMPORT_PATH, ROOT
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

EXAMPLES = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def shell(stack: WholeStack, directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A script run by bash beside a launcher that needs no .venv of its own."""
    launcher = directory / "ordersaga"
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH={IMPORT_PATH} exec {sys.executable} -P -m devstack "$@"\n')
    launcher.chmod(0o755)
    variables = {"PATH": os.environ["PATH"], "ORDERSAGA_STATE": str(stack.state.directory)}
    return subprocess.run(
        ["bash", "-ec", script], cwd=directory, env=variables, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_examples_of_getting_started_run_as_they_stand(stack: WholeStack, tmp_path: Path) -> None:
    _, _, section = (ROOT / "docs" / "GETTING_STARTED.md").read_text().partition("\n## Place an order\n")
    placing, looking, reading, changing, *_ = EXAMPLES.findall(section.partition("\n| card |")[0])
    part, *_ = EXAMPLES.findall(section.partition("\n**A part of a payment**")[2])
    endless = [line for line in reading.splitlines() if line.startswith("curl -N ")]
    assert len(endless) == 1
    done = shell(
        stack, tmp_path, script(f"{placing}{looking}\nCANCELLED=$ORDER\n{changing}{part}\necho ; echo $CANCELLED")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"state":"confirmed"' in done.stderr
    assert '"state":"cancelled"' in done.stdout
    assert '"retired":true' in done.stdout
    assert '"amount":500,"state":"requested","reason":"one tin was open"' in done.stdout
    order = done.stdout.splitlines()[-1]
    ask = script(f'eval "$(./ordersaga env)"\nORDER={order}\n{reading.replace(endless[0], "")}')
    until(lambda: shell(stack, tmp_path, ask).returncode == 0, seconds=30, every=0.5)


def script(block: str) -> str:
    """An example that fails where the server refuses it, for a product of its own."""
    return block.replace("curl ", "curl --fail-with-body -sS ").replace("tea", "example-tea")


def test_psql_reads_what_the_service_may_read_and_changes_nothing(stack: WholeStack, tmp_path: Path) -> None:
    statements = "-c 'select current_user, 40 + 2 from outbox limit 1' -c 'delete from outbox'"
    done = shell(stack, tmp_path, f"./ordersaga psql order_service -At {statements}")
    assert done.stdout == "order_service|42\n"
    assert "cannot execute DELETE in a read-only transaction" in done.stderr
    assert done.returncode == 1


def test_the_printed_address_of_a_page_signs_in_and_leads_to_it(stack: WholeStack) -> None:
    said = CliRunner().invoke(open_, ["--state", str(stack.state.directory), "--print", "parked"])
    address = urlsplit(said.stdout.strip())
    answer = requests.post(
        f"{stack.url('projections-api')}{address.path}",
        data={"next": parse_qs(address.query)["next"][0], "token": address.fragment.removeprefix("token=")},
        headers={"Origin": stack.url("projections-api")},
        allow_redirects=False,
        timeout=10,
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/parked")
