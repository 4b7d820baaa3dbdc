"""The documents of the contracts are those of the code, and valid by the official schemas."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]

from devstack.state import ROOT
from ordersaga.cli.main import main
from ordersaga.schemas import files
from shop import services
from tests.support.counted_versions import services as counted_services

DOCUMENTS = ROOT / "docs" / "contracts"
PLACES = (os.environ.get("ASYNCAPI_SPECS", ""), str(ROOT / "node_modules" / "@asyncapi" / "specs"))
"""Where the npm package @asyncapi/specs may be, which alone has the official schema; no package of Python has it."""


def document() -> Any:
    return json.loads(files.files_of(services)[files.DOCUMENT])


def test_the_documents_in_the_repository_are_those_of_the_code() -> None:
    found = {str(file.relative_to(DOCUMENTS)): file.read_text() for file in sorted(DOCUMENTS.rglob("*.json"))}
    assert found == files.files_of(services), "run `make contracts`"


def test_every_schema_is_one_of_json_schema_2020_12() -> None:
    for schema in files.schemas_of(services).values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("application", [services, counted_services])
def test_the_document_is_valid_by_the_official_schema_of_asyncapi(application: Any) -> None:
    schema = next((file for place in PLACES if place and (file := Path(place, "schemas", "3.0.0.json")).exists()), None)
    if schema is None:
        pytest.skip("the official schema is not here: `npm install @asyncapi/specs`, or name it in ASYNCAPI_SPECS")
    validator = Draft7Validator(json.loads(schema.read_text()))
    made = json.loads(files.files_of(application)[files.DOCUMENT])
    assert [error.message for error in validator.iter_errors(made)] == []
    del next(iter(made["operations"].values()))["action"]
    assert list(validator.iter_errors(made))


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [each for name, part in value.items() for each in ([part] if name == "$ref" else references(part))]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def test_every_reference_in_the_document_leads_to_something() -> None:
    made, seen = document(), set()
    for reference in references(made):
        place = made
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        seen.add(reference)
    assert len(seen) > 50


def test_the_document_says_who_sends_and_who_receives_as_the_services_do() -> None:
    made = document()
    for service in services:
        said = {"send": set(service.announcements.newest), "receive": set(service.reactions.by_contract)}
        if service.is_read_side:
            said["receive"] = set(made["channels"])
        for action, contracts in said.items():
            start = f"{service.name}.{action}."
            assert {name.removeprefix(start) for name in made["operations"] if name.startswith(start)} == contracts


def test_a_field_is_described_by_its_docstring_also_in_a_part_of_a_body() -> None:
    placed = files.schemas_of(services)["orders.order_placed.v1"]
    assert placed["properties"]["total"]["description"] == "Minor units."
    assert placed["$defs"]["OrderLine"]["properties"]["unit_price"]["description"].startswith("Minor units")


def test_the_commands_print_what_they_write(tmp_path: Path) -> None:
    for command in ("asyncapi", "schemas"):
        given = ["--app", "shop:services", "contracts", command]
        printed = json.loads(CliRunner().invoke(main, given).stdout)
        (tmp_path / "schemas").mkdir(exist_ok=True)
        (tmp_path / "schemas" / "orders.gone.v1.json").write_text("{}")
        done = CliRunner().invoke(main, [*given, "--out", str(tmp_path)])
        assert (done.exit_code, done.stdout) == (0, "")
        if command == "asyncapi":
            assert printed == json.loads((tmp_path / "asyncapi.json").read_text()) == document()
        else:
            written = {file.stem: json.loads(file.read_text()) for file in (tmp_path / "schemas").iterdir()}
            assert written == printed == files.schemas_of(services)
