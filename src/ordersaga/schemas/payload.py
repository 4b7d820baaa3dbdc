"""JSON Schemas (2020-12) of contracts: what a reader accepts, with the descriptions of class and fields."""

import ast
import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import predecessor_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class DescribedSchema(GenerateJsonSchema):
    """Has the docstrings of fields as descriptions, and no titles that repeat names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found.pop("title", None)
        described: dict[str, str] = {}
        for each in reversed(schema["cls"].__mro__):
            described |= documented(each)
        for name, field in found.get("properties", {}).items():
            if name in described:
                field.setdefault("description", described[name])
        return found


def documented(model: type) -> dict[str, str]:
    """Field -> the string that stands behind it in the class; none without its source."""
    if model in (object, BaseModel) or not issubclass(model, BaseModel):
        return {}
    try:
        body = classes(inspect.getfile(model)).get(model.__qualname__, [])
    except (OSError, TypeError):
        return {}
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


@cache
def classes(file: str) -> Mapping[str, list[ast.stmt]]:
    """The statements of each class at the top of a file. Raises OSError."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def schema_of(contract: type[ContractData], receivers: Iterable[str] = ()) -> dict[str, Any]:
    """The schema of one contract, with its source, key, predecessor and receivers, which a body does not have."""
    before = predecessor_of(contract)
    return {
        "$schema": DIALECT,
        "$id": f"urn:contract:{contract.NAME}",
        "title": contract.NAME,
        "x-source": contract.SOURCE,
        "x-key": contract.KEY,
        "x-predecessor": before.NAME if before else None,
        "x-receivers": sorted(receivers),
        **body_of(contract),
    }


def body_of(contract: type[ContractData]) -> dict[str, Any]:
    """The schema of the body; of a contract that is no pydantic model only that it is an object."""
    if not issubclass(contract, BaseModel):
        return {"type": "object"}
    found: dict[str, Any] = contract.model_json_schema(schema_generator=DescribedSchema)
    return found


def bodies_of(contracts: Iterable[type[ContractData]], place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """By name, the reference of each body, and the definitions that they refer to, which are put at `place`."""
    models = [contract for contract in contracts if issubclass(contract, BaseModel)]
    references, found = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=place + "{model}",
        schema_generator=DescribedSchema,
    )
    bodies = {model.NAME: dict(references[model, "validation"]) for model in models}
    return bodies, found.get("$defs", {})
