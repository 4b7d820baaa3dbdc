"""Compatibility: what has changed between two schemas of a contract, and who can no longer read whom."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ordersaga.schemas.conditions import NEW_VERSION, Found, Verdict, of_keyword, shown, wider

Schema = Mapping[str, Any]

WORDS = ("title", "description", "examples", "deprecated", "$schema", "$id", "$defs", "x-receivers")
"""Keywords that no reader checks."""
SIDES = ("anyOf", "oneOf")
INNER = ("properties", "items", "prefixItems", "additionalProperties", "propertyNames", "patternProperties")
"""Where schemas are in a schema."""
SELF = ("default", "required", "type", "x-source", "x-key", "x-predecessor", "properties", "items", "prefixItems")
"""Keywords that are no condition on a value, or are compared by themselves."""
IMPLIED = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
"""A bound that another one sets too."""


class Change(NamedTuple):
    """One difference between a contract as it was and as it is."""

    contract: str
    verdict: Verdict
    """`breaking`: new code cannot read a message of old code, or old code does not find what it needs in a new one.
    `readers first`: new code reads everything, but old code refuses some new messages."""
    path: str
    """The field, such as `lines[].quantity`; empty for the contract itself."""
    what: str
    advice: str = ""


def compared(before: Mapping[str, Schema], now: Mapping[str, Schema]) -> Iterator[Change]:
    """The changes from one set of schemas to another, by name of the contract."""
    for name in sorted({*before, *now}):
        if name not in before:
            yield Change(name, "compatible", "", "is new")
        elif name not in now:
            yield removed(name, before[name])
        else:
            yield from (Change(name, *found) for found in of_contract(before[name], now[name]))


def removed(name: str, before: Schema) -> Change:
    receivers = before.get("x-receivers") or []
    if not receivers:
        return Change(name, "compatible", "", "is removed; nobody received it")
    advice = "keep its class: queues, parked messages and the event log may have messages of it"
    return Change(name, "breaking", "", f"is removed; {', '.join(receivers)} received it", advice)


def of_contract(before: Schema, now: Schema) -> Iterator[Found]:
    """Source, key and predecessor, then the body."""
    for name, advice in (
        ("x-source", "make a contract of another name, which the other service announces"),
        ("x-key", "make a contract of another name: only messages of the same key come in order"),
        ("x-predecessor", "keep it: the ids of messages are computed with the name of the first version"),
    ):
        if before.get(name) != now.get(name):
            detail = f"{name[2:]} was {shown(before.get(name))}, is {shown(now.get(name))}"
            yield "breaking", "", detail, advice
    yield from Comparison(before, now).differences(before, now, "")


class Comparison:
    """Two schemas with their definitions."""

    def __init__(self, before: Schema, now: Schema) -> None:
        self._definitions = before.get("$defs", {}), now.get("$defs", {})
        self._compared: set[tuple[int, ...]] = set()
        """Pairs of schemas that are being compared: a type may contain itself."""

    def resolved(self, schema: Schema, side: int) -> Schema:
        if "const" in schema:
            return {"enum": [schema["const"]], **{name: value for name, value in schema.items() if name != "const"}}
        if "$ref" not in schema:
            return schema
        found = self._definitions[side][schema["$ref"].rpartition("/")[2]]
        return self.resolved({**found, **{name: value for name, value in schema.items() if name != "$ref"}}, side)

    def alternatives(self, schema: Schema, side: int) -> dict[str, Schema]:
        """By type, the schemas of which a value must satisfy one."""
        schema = self.resolved(schema, side)
        sides = next((schema[name] for name in SIDES if name in schema), None)
        if sides is None:
            types = schema.get("type", "anything")
            return dict.fromkeys(types if isinstance(types, list) else [types], schema)
        found: dict[str, Schema] = {}
        for each in sides:
            for kind, one in self.alternatives(each, side).items():
                found[kind if kind not in found else f"{kind} {len(found)}"] = one
        return found

    def differences(self, before: Schema, now: Schema, path: str) -> Iterator[Found]:
        was, is_ = self.alternatives(before, 0), self.alternatives(now, 1)
        same = {each: kind for each in was if (kind := accepting(each, is_))}
        if len(same) < len(was):
            yield "breaking", path, f"was {' or '.join(was)}, is {' or '.join(is_)}", NEW_VERSION
        elif more := [each for each in is_ if each not in was]:
            yield wider(path, f"may also be {' or '.join(more)}")
        if repr(before.get("default")) != repr(now.get("default")):
            detail = f"default was {before.get('default')!r}, is {now.get('default')!r}"
            yield "breaking", path, detail, f"{NEW_VERSION}: what was sent without it would mean something else"
        for each, kind in same.items():
            pair = tuple(id(schema.get(name)) for schema in (was[each], is_[kind]) for name in INNER)
            if pair not in self._compared:
                self._compared.add(pair)
                yield from self.of_one_type(was[each], is_[kind], path)
                self._compared.remove(pair)

    def of_one_type(self, before: Schema, now: Schema, path: str) -> Iterator[Found]:
        for name in sorted({*before, *now} - {*WORDS, *SIDES, *SELF}):
            was, is_ = before.get(name, before.get(IMPLIED.get(name, name))), now.get(name)
            if name in ("additionalProperties", "propertyNames") and False not in (was, is_):
                place = f"{path} (key)" if name == "propertyNames" else f"{path}.*"
                yield from self.differences(of_any(was), of_any(is_), place)
            elif name == "patternProperties" and was and is_ and was.keys() == is_.keys():
                for pattern in was:
                    yield from self.differences(was[pattern], is_[pattern], f"{path}.*")
            else:
                yield from of_keyword(name, was, is_, path)
        yield from self.of_items(before, now, path)
        yield from self.of_properties(before, now, path)

    def of_items(self, before: Schema, now: Schema, path: str) -> Iterator[Found]:
        if "items" in before and "items" in now:
            yield from self.differences(before["items"], now["items"], f"{path}[]")
        was, is_ = before.get("prefixItems", []), now.get("prefixItems", [])
        for number in range(max(len(was), len(is_))):
            first, second = (
                each[number] if number < len(each) else schema.get("items", {})
                for each, schema in ((was, before), (is_, now))
            )
            yield from self.differences(first, second, f"{path}[{number}]")

    def of_properties(self, before: Schema, now: Schema, path: str) -> Iterator[Found]:
        was, is_ = before.get("properties", {}), now.get("properties", {})
        for name in sorted({*was, *is_}):
            place = f"{path}.{name}" if path else name
            required_before, required_now = (name in each.get("required", ()) for each in (before, now))
            if name not in is_:
                yield "breaking", place, "is removed or renamed", f"{NEW_VERSION}; its readers may need it"
            elif name not in was and required_now:
                yield "breaking", place, "is new and required", f"give it a default, or {NEW_VERSION}"
            elif name not in was:
                yield "compatible", place, "is new and optional", ""
            else:
                if required_now and not required_before:
                    yield "breaking", place, "was optional, is required", NEW_VERSION
                elif required_before and not required_now:
                    yield wider(place, "was required, is optional")
                    is_ = {**is_, name: {key: value for key, value in is_[name].items() if key != "default"}}
                yield from self.differences(was[name], is_[name], place)


def accepting(kind: str, kinds: Mapping[str, Schema]) -> str | None:
    """The type among these whose values one of this type is."""
    wider_ones = (kind, "number", "anything") if kind == "integer" else (kind, "anything")
    return next((each for each in wider_ones if each in kinds), None)


def of_any(schema: Schema | bool | None) -> Schema:
    """The schema of everything, if there is none."""
    return schema if isinstance(schema, Mapping) else {}
