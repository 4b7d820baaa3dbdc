"""Compatibility: what has changed between two schemas of a contract, and who can no longer read whom."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Schema = Mapping[str, Any]
Verdict = Literal["breaking", "readers first", "compatible"]

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
WORDS = ("title", "description", "examples", "deprecated", "$schema", "$id", "$defs", "x-receivers")
"""Keywords that no reader checks."""
SIDES = ("anyOf", "oneOf")
NEW_VERSION = "make it a new version, which upcasts this one"


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


Found = tuple[Verdict, str, str, str]


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

    def resolved(self, schema: Schema, side: int) -> Schema:
        if "$ref" not in schema:
            return schema
        found = self._definitions[side][schema["$ref"].rpartition("/")[2]]
        return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}

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
        gone, more = [each for each in was if each not in is_], [each for each in is_ if each not in was]
        if gone:
            yield "breaking", path, f"was {' or '.join(was)}, is {' or '.join(is_)}", NEW_VERSION
        elif more:
            yield wider(path, f"may also be {' or '.join(more)}")
        if before.get("default") != now.get("default"):
            detail = f"default was {before.get('default')!r}, is {now.get('default')!r}"
            yield "breaking", path, detail, f"{NEW_VERSION}: what was sent without it would mean something else"
        for kind in was.keys() & is_.keys():
            yield from self.of_one_type(was[kind], is_[kind], path)

    def of_one_type(self, before: Schema, now: Schema, path: str) -> Iterator[Found]:
        checks = {*before, *now} - {*WORDS, *SIDES, "type", "default", "required", "properties", "items", "x-source"}
        for name in sorted(checks - {"x-key", "x-predecessor"}):
            yield from of_keyword(name, before.get(name), now.get(name), path)
        if "items" in before and "items" in now:
            yield from self.differences(before["items"], now["items"], f"{path}[]")
        yield from self.of_properties(before, now, path)

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


def of_keyword(name: str, before: Any, now: Any, path: str) -> Iterator[Found]:
    """A bound, a set of values, or any other condition on a value."""
    if before == now:
        return
    detail = f"{name} was {shown(before)}, is {shown(now)}"
    if is_narrower(name, before, now):
        yield "breaking", path, detail, NEW_VERSION
    else:
        yield wider(path, detail)


def is_narrower(name: str, before: Any, now: Any) -> bool:
    """Whether a value that satisfied the condition may not satisfy it now."""
    if now is None:
        return False
    if before is None:
        return True
    if name in LOWER:
        return bool(now > before)
    if name in UPPER:
        return bool(now < before)
    if name == "enum":
        return not {*map(repr, before)} <= {*map(repr, now)}
    return True


def wider(path: str, what: str) -> Found:
    return "readers first", path, what, "roll out every reader before the service that announces it"


def shown(value: Any) -> str:
    return "none" if value is None else str(value)
