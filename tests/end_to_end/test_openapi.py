"""The APIs keep to their own OpenAPI descriptions, whatever is thrown at them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import AnyServers
from tests.support.api import Api, serving, token

SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409]

# A description cannot say which products there are, which version an order is at, nor which keys are taken.
[[operations]]
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 422]

[[operations]]
include-method = "PUT"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412]
headers = {{ Authorization = "Bearer {operator}" }}

# Nor which texts are cursors.
[[operations]]
include-path-regex = "^/(api/(audit/)?[a-z]+|orders)$"
include-method = "GET"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422]
"""
STREAM = "/api/events/stream"
"""It has no end."""
OF_THE_LIBRARY = "^/(parked|consumer)"
"""Operations that the library gives every API, the same code and description: the inventory's are tried."""
OPERATOR = token("operator", "olga")
PARKED = """
insert into parked_messages (message_id, key, contract, routing_key, headers, body, state, error, place)
values (gen_random_uuid(), 'a', 'orders.order_placed.v1', 'r', '{}', '\\xff', 'dead', 'ValueError', 'here')
returning 1
"""


@pytest.mark.parametrize(
    ("package", "role"),
    [
        ("order_service", "customer"),
        ("inventory_service", "operator"),
        ("payment_service", "auditor"),
        ("projections", "auditor"),
    ],
)
def test_an_api_keeps_to_its_description(servers: AnyServers, tmp_path: Path, package: str, role: str) -> None:
    exclude = ["--exclude-path", STREAM]
    with serving(servers, package, tmp_path) as api:
        if package == "order_service":
            terms = {"name": "Tea", "unit_price": 890, "currency": "EUR"}
            api.call("PUT", "/products/tea", OPERATOR, json=terms)
        if package == "inventory_service":
            api.database.rows(PARKED)
        else:
            exclude += ["--exclude-path-regex", OF_THE_LIBRARY]
        done = schemathesis(api, token(role), tmp_path, *exclude)
        assert done.returncode == 0, done.stdout[-8000:]
        assert "Traceback" not in api.log.read_text()


def schemathesis(api: Api, caller: str, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Examples, edge cases, random data and chains of operations, always the same ones."""
    settings = directory / "schemathesis.toml"
    settings.write_text(SETTINGS.format(operator=OPERATOR))
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(settings)]
    what = ["run", f"{api.url}/openapi.json", "--header", f"Authorization: Bearer {caller}", "--checks", "all"]
    bounds = ["--max-examples", "3", "--seed", "1", "--no-color", "--continue-on-failure"]
    return subprocess.run(
        [*program, *what, *bounds, *options], cwd=directory, capture_output=True, text=True, timeout=100, check=False
    )
