"""What the order service does when a setting is missing, and what a placed order costs when nothing is."""

import re
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from order_service.api import create_app
from tests.support.api import ROOT, environment, gunicorn, token
from tests.support.databases import Databases

CUSTOMER, OPERATOR = token(), token("operator", "olga")
TERMS = {"name": "Tea", "unit_price": 890, "currency": "EUR"}
ORDER = {"lines": [{"sku": "tea", "quantity": 1}], "card": "pm_card_visa"}
CONTACT = {
    "name": "Ada Byron",
    "email": "ada@example.com",
    "address": {"lines": ["12 Dorset St"], "postal_code": "W1U 6QS", "city": "London", "country": "GB"},
}


@pytest.mark.parametrize(
    ("variable", "text"),
    [("ORDER_SERVICE_DATABASE_URL", ""), ("TOKEN_PUBLIC_KEY", ""), ("ORDER_DEADLINE_SECONDS", "0")],
)
def test_a_missing_or_impossible_variable_is_named_and_ends_the_process(
    database: Databases, variable: str, text: str
) -> None:
    variables = environment(database("order_service"), 0) | {variable: text}
    done = subprocess.run(
        gunicorn("order_service"), env=variables, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert re.search(f"^order_service api: .*{variable}", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        (None, ["Execute", "Execute", "Execute"]),
        (CONTACT, ["Execute", "Query", "Execute", "Execute", "Execute", "Query"]),
    ],
    ids=["without contact", "with contact"],
)
def test_a_placed_order_costs_three_statements_and_its_contact_a_transaction_with_one_more(
    database: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contact: object, expected: list[str]
) -> None:
    """The key, begin, the customer's key, the products, one write, commit."""
    for name, text in environment(database("order_service"), 0).items():
        monkeypatch.setenv(name, text)
    app = create_app()
    app.database.pool.wait()
    client = app.test_client()
    assert client.put("/products/tea", headers=bearer(OPERATOR), json=TERMS).status_code == 201
    headers = {**bearer(CUSTOMER), "Idempotency-Key": str(uuid4())}
    with (tmp_path / "wire").open("w+") as wire:
        with app.database.pool.connection() as first, app.database.pool.connection() as second:
            for connection in (first, second):
                connection.pgconn.trace(wire.fileno())
        placed = client.post("/orders", headers=headers, json={**ORDER, "contact": contact})
        app.database.pool.close()
        app.doorbell.close()
    assert placed.status_code == 202
    statements = re.findall(r"\tF\t\d+\t(Query|Execute)\t", (tmp_path / "wire").read_text())
    assert statements == expected


def bearer(caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {caller}"}
