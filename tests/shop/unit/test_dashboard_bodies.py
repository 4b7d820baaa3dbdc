"""What an operator sees of a parked message's body, and what is said of a new one before it is sent."""

import json

import pytest

from contracts.orders import OrderConfirmed
from projections.dashboard.bodies import MAX_EDITED, WHOLE, pretty, problems
from projections.dashboard.components.diff import lines

ORDER = "01a21e33-4f06-735e-b995-d48e646fdd7f"
NAME = OrderConfirmed.NAME
VALID = json.dumps({"order_id": ORDER})


@pytest.mark.parametrize(
    "text", ['{"a":1.0e2}', '{"a":1,"a":2}', r'{"a":"\u00e9"}', "[" * 5000 + "]" * 5000, "no json"]
)
def test_a_body_is_put_into_lines_only_where_nothing_but_spaces_changes(text: str) -> None:
    assert pretty(text) == text


def test_a_body_in_lines_has_the_same_tokens() -> None:
    assert pretty('{"a": "x \\" y",  "b":[1]}') == '{\n  "a": "x \\" y",\n  "b": [\n    1\n  ]\n}'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", WHOLE),
        ('{"order_id": "x", "order_id": "y"}', "order_id"),
        ("{}", "order_id"),
        ('{"order_id": 7}', "order_id"),
        (VALID.replace("01a21e33", "01a21e34"), "order_id"),
        (json.dumps({"order_id": ORDER, "more": "x" * MAX_EDITED}), WHOLE),
    ],
)
def test_what_is_wrong_with_a_new_body_is_said_of_the_field_that_has_it(text: str, field: str) -> None:
    assert [each.field for each in problems(NAME, ORDER, text)] == [field]


def test_a_new_body_that_satisfies_the_contract_has_no_problem_nor_one_of_an_unknown_contract() -> None:
    assert problems(NAME, ORDER, VALID) == []
    assert problems("shipping.parcel_sent.v1", "key", "{}") == []


def test_the_difference_numbers_the_lines_of_both_texts_and_leaves_out_what_is_far_from_a_change() -> None:
    before = [str(number) for number in range(1, 21)]
    found = list(lines(before, [*before[:9], "ten", "more", *before[10:]]))
    assert [(line.kind, line.before, line.after) for line in found[3:7]] == [
        ("same", 9, 9),
        ("removed", 10, None),
        ("added", None, 10),
        ("added", None, 11),
    ]
    assert (found[0].text, found[-1].text) == ("6 lines unchanged", "7 lines unchanged")
