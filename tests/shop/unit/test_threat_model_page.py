"""Every "cannot" of docs/SECURITY.md leads to a test, and no port or account of the stack is missing there."""

import re
from collections.abc import Iterator

import pytest

from devstack.processes import GROUPS, PROCESSES
from devstack.servers.databases import AUDITOR, RELAY
from devstack.servers.postgres import OWNER
from devstack.state import ROOT
from tests.shop.unit.test_documents import defined

PAGE = ROOT / "docs" / "SECURITY.md"
TABLE = re.compile(r"^\|.*\| cannot \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", re.MULTILINE)
CLAIM = re.compile(r"\[(?P<claim>[^\]]+)\]\(\.\./(?P<file>tests/[^)#]+\.py)#(?P<test>test_\w+)\)")
ROWS = [
    [cell.strip() for cell in row.strip("|").split(" | ")]
    for table in TABLE.findall(PAGE.read_text())
    for row in table.splitlines()
]


def claims() -> Iterator[tuple[str, str]]:
    for first, *_, cannot in ROWS:
        for claim in cannot.removesuffix(" |").split("; "):
            yield first, claim


def test_there_is_a_table_by_port_and_one_by_credential() -> None:
    assert len(TABLE.findall(PAGE.read_text())) == 2
    assert all(len(row) in (3, 4) and all(row) for row in ROWS)


@pytest.mark.parametrize(("row", "claim"), list(claims()), ids=lambda text: text[:40])
def test_a_claim_that_somebody_cannot_leads_to_its_test(row: str, claim: str) -> None:
    link = CLAIM.fullmatch(claim)
    assert link, f"{row}: {claim} is no link to a test"
    assert link["test"] in defined(ROOT / link["file"]), f"{row}: {link['file']} has no {link['test']}"


@pytest.mark.parametrize("name", [process.name for process in PROCESSES if process.is_api])
def test_the_port_of_every_api_is_in_the_table(name: str) -> None:
    assert any(f"`{name}`" in row[0] for row in ROWS)


@pytest.mark.parametrize("account", [*GROUPS[-1:], RELAY, AUDITOR, OWNER, "provisioner"])
def test_every_account_is_in_the_table(account: str) -> None:
    assert any(f"`{account}`" in row[0] for row in ROWS)
