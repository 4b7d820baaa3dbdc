"""The body of a parked message as text that a person edits, and the reasons why a new body is refused."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from contracts import CONTRACTS
from ordersaga.envelope.limits import MAX_NESTING
from ordersaga.envelope.strict_json import UnacceptableJson, require_storable_object

MAX_EDITED = 48 * 1024
"""Characters; a longer body does not fit into a request to a service, and is edited with `parked edit`."""
WHOLE = "Body"
"""The field of a problem that no single field has."""
OTHER_KEY = "must stay {}: the messages of one key wait for one another"


class FieldProblem(NamedTuple):
    """What is wrong, and the field, such as `lines.0.quantity`."""

    field: str
    text: str


def pretty(text: str) -> str:
    """JSON in lines; the text unchanged where that would change more than the spaces between its tokens."""
    try:
        parsed = json.loads(text)
        compact = json.dumps(parsed, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
    # A repeated name, 1.0e2 or an escape does not come back from Python as it was.
    if compact not in (text, "".join(tokens(text))):
        return text
    return json.dumps(parsed, indent=2, ensure_ascii=False)


def tokens(text: str) -> Iterator[str]:
    """The text without the spaces between its tokens."""
    quoted = escaped = False
    for character in text:
        if quoted or not character.isspace():
            yield character
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and character == "\\" and not escaped


def problems(contract_name: str | None, key: str | None, text: str) -> list[FieldProblem]:
    """What the contract does not allow; the service has the last word, also on contracts that are unknown here."""
    if len(text) > MAX_EDITED:
        return [FieldProblem(WHOLE, f"has {len(text):,} characters, more than {MAX_EDITED:,}: use `parked edit`")]
    try:
        require_storable_object(text, MAX_NESTING)
    except UnacceptableJson as unacceptable:
        return [FieldProblem(unacceptable.field or WHOLE, str(unacceptable))]
    contract = CONTRACTS.get(contract_name or "")
    if contract is None:
        return []
    try:
        data = contract.model_validate_json(text)
    except ValidationError as errors:
        return [FieldProblem(field_of(each["loc"]), each["msg"]) for each in errors.errors(include_url=False)]
    if key is not None and str(getattr(data, contract.KEY)) != key:
        return [FieldProblem(contract.KEY, OTHER_KEY.format(key))]
    return []


def field_of(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or WHOLE
