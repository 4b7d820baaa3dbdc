"""What a change of a contract does to those who read it: nothing, an order of rolling out, or a new version."""

import json
import subprocess
from pathlib import Path
from types import new_class
from typing import Annotated, Any, ClassVar, Literal

import pytest
from click.testing import CliRunner
from pydantic import Field

from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.envelope.contract import Contract
from ordersaga.inbox.reactions import Reactions
from ordersaga.schemas import files
from ordersaga.schemas.compatibility import of_contract
from ordersaga.schemas.payload import schema_of
from ordersaga.service import Service
from tests.support.counted_versions import CountedV2, service

Few = Annotated[int, Field(ge=1, le=10)]
Many = Annotated[int, Field(ge=1, le=100)]
Short = Annotated[str, Field(max_length=5)]
Letter = Literal["a", "b"]
NotNegative = Annotated[int, Field(ge=0)]
Code = Annotated[str, Field(pattern="^[A-Z]+$")]


class Line(Contract):
    number: Few


class LongLine(Contract):
    number: Many


class Tree(Contract):
    number: Many
    inner: "tuple[Tree, ...]" = ()


class SmallTree(Contract):
    number: Few
    inner: "tuple[SmallTree, ...]" = ()


def contract(fields: dict[str, tuple[Any, Any]], **variables: Any) -> type[Contract]:
    """A contract of these fields, each with its type and default; `...` is none."""
    given = {"NAME": "test.sent.v1", "SOURCE": "test", "KEY": "id", **variables}
    namespace = {**given, **{name: default for name, (_, default) in fields.items() if default is not ...}}
    namespace["__annotations__"] = {
        **dict.fromkeys(given, ClassVar[Any]),
        **{name: type_ for name, (type_, _) in fields.items()},
    }
    namespace |= {"__module__": __name__, "__qualname__": "Sent"}
    made: type[Contract] = new_class("Sent", (Contract,), exec_body=lambda body: body.update(namespace))
    return made


def changes(before: Any, now: Any, **variables: Any) -> list[tuple[str, str, str]]:
    """(verdict, path, what) of a field `it`, or of whole contracts."""
    old, new = (
        contract(each if isinstance(each, dict) else {"id": (int, ...), "it": each}, **given)
        for each, given in ((before, {}), (now, variables))
    )
    return [found[:3] for found in of_contract(schema_of(old), schema_of(new))]


ID = {"id": (int, ...)}


@pytest.mark.parametrize(
    ("before", "now", "path", "what"),
    [
        (ID | {"it": (int, ...)}, ID, "it", "is removed or renamed"),
        (ID, ID | {"it": (int, ...)}, "it", "is new and required"),
        ((int, 1), (int, ...), "it", "was optional, is required"),
        ((int, 1), (int, 2), "it", "default was 1, is 2"),
        ((int, ...), (str, ...), "it", "was integer, is string"),
        ((int | None, ...), (int, ...), "it", "was integer or null, is integer"),
        ((Many, ...), (Few, ...), "it", "maximum was 100, is 10"),
        ((str, ...), (Short, ...), "it", "maxLength was none, is 5"),
        ((str, ...), (Code, ...), "it", "pattern was none, is ^[A-Z]+$"),
        ((tuple[LongLine, ...], ...), (tuple[Line, ...], ...), "it[].number", "maximum was 100, is 10"),
        ((dict[str, LongLine], ...), (dict[str, Line], ...), "it.*.number", "maximum was 100, is 10"),
        ((dict[Code, LongLine], ...), (dict[Code, Line], ...), "it.*.number", "maximum was 100, is 10"),
        (
            (dict[Literal["a", "b"], int], ...),
            (dict[Literal["a"], int], ...),
            "it (key)",
            "enum was ['a', 'b'], is ['a']",
        ),
        ((tuple[int, LongLine], ...), (tuple[int, Line], ...), "it[1].number", "maximum was 100, is 10"),
        ((tuple[int, int], ...), (tuple[str, ...], ...), "it[0]", "was integer, is string"),
        ((Tree, ...), (SmallTree, ...), "it.number", "maximum was 100, is 10"),
        ((float, ...), (int, ...), "it", "was number, is integer"),
        ((int | bool, 1), (int | bool, True), "it", "default was 1, is True"),
        ((Literal["a", "b"], ...), (Literal["a"], ...), "it", "enum was ['a', 'b'], is ['a']"),
    ],
)
def test_what_cannot_be_read_any_more_is_breaking(before: Any, now: Any, path: str, what: str) -> None:
    assert ("breaking", path, what) in changes(before, now)


@pytest.mark.parametrize(
    ("before", "now", "path", "what"),
    [
        ((Few, ...), (Many, ...), "it", "maximum was 10, is 100"),
        ((Short, ...), (str, ...), "it", "maxLength was 5, is none"),
        ((int, ...), (int | None, ...), "it", "may also be null"),
        ((int, ...), (int, 1), "it", "was required, is optional"),
        ((tuple[Line, ...], ...), (tuple[LongLine, ...], ...), "it[].number", "maximum was 10, is 100"),
        ((Literal["a"], ...), (Literal["a", "b"], ...), "it", "enum was ['a'], is ['a', 'b']"),
        ((int, ...), (float, ...), "it", "may also be number"),
        ((dict[str, int], ...), (dict[str, Any], ...), "it.*", "may also be anything"),
        ((Annotated[int, Field(gt=0)], ...), (NotNegative, ...), "it", "exclusiveMinimum was 0, is none"),
    ],
)
def test_what_only_older_readers_refuse_needs_the_readers_rolled_out_first(
    before: Any, now: Any, path: str, what: str
) -> None:
    assert changes(before, now) == [("readers first", path, what)]


def test_a_new_optional_field_needs_nothing() -> None:
    assert changes(ID, ID | {"it": (int, 0)}) == [("compatible", "it", "is new and optional")]
    assert changes((int, 0), (int, 0)) == []
    assert changes((Literal["a", "b"], ...), (Literal["b", "a"], ...)) == []


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"SOURCE": "other"}, "source was test, is other"),
        ({"KEY": "it"}, "key was id, is it"),
        ({"PREDECESSOR": CountedV2}, "predecessor was none, is test.counted.v2"),
    ],
)
def test_another_source_key_or_predecessor_is_breaking(variables: dict[str, Any], what: str) -> None:
    assert changes((int, ...), (int, ...), **variables) == [("breaking", "", what)]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the schemas of the counting service committed, as the current directory."""
    monkeypatch.chdir(tmp_path)
    files.write({f"schemas/{n}.json": json.dumps(s) for n, s in files.schemas_of([service]).items()}, tmp_path, True)
    me = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "."), (*me, "commit", "-qm", "schemas")):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return tmp_path


def run(changed: Service, *arguments: str) -> Any:
    given = ["contracts", "check", "--dir", ".", *arguments]
    return CliRunner().invoke(main, given, obj=Application(lambda: [changed]))


@pytest.mark.parametrize("reference", ["HEAD", "schemas", "."])
def test_the_command_compares_with_a_revision_or_a_directory(repository: Path, reference: str) -> None:
    same = run(service, "--against", reference)
    assert (same.exit_code, same.output) == (0, "5 contracts compared, 0 breaking changes\n")
    gone = run(Service("counting", service.announcements, Reactions()), "--against", reference)
    assert gone.exit_code == 1
    assert "breaking       test.counted.v1: is removed; counting received it\n" in gone.output
    assert "keep its class: queues, parked messages and the event log may have messages of it" in gone.output
    told = json.loads(run(Service("x"), "--against", reference, "--json").output)
    assert told["breaking"] == 3
    assert {each["verdict"] for each in told["changes"]} == {"breaking", "compatible"}


def test_a_reference_without_schemas_says_what_to_do(repository: Path) -> None:
    empty = run(service, "--against", "HEAD", "--dir", "elsewhere")
    assert empty.exit_code == 2
    assert "There are no schemas in elsewhere/schemas of revision HEAD. Write them with" in empty.output
    unknown = run(service, "--against", "nowhere")
    assert unknown.exit_code == 2
    assert "'nowhere' is neither a directory nor a revision that git knows here" in unknown.output


@pytest.mark.parametrize("text", ["{", "[]", "{}", b"\xff"])
def test_a_file_that_is_no_schema_is_no_breaking_change(repository: Path, text: str | bytes) -> None:
    (repository / "other").mkdir()
    (repository / "other" / "test.broken.v1.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    broken = run(service, "--against", "other")
    assert (broken.exit_code, "schema" in broken.output) == (2, True)
    outside = run(service, "--against", "HEAD", "--dir", "../outside")
    assert (outside.exit_code, "is outside repository" in outside.output) == (2, True)
