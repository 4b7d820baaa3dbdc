"""Bodies that are refused before anyone looks at their fields."""

import time

import pytest

from ordersaga.envelope.strict_json import MAX_DEPTH, UnacceptableJson, parse


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'"{}"', ""),
        (b"null", ""),
        (b"{'a': 1}", ""),
        (b'{"a": 1} {}', ""),
        (b"\xff{}", ""),
        (b"\xef\xbb\xbf{}", ""),
        (b'{"a": NaN}', ""),
        (b'{"a": -Infinity}', ""),
        (b'{"a": 1e999}', ""),
        (b'{"a": 9223372036854775808}', ""),
        (b'{"a": ' + b"9" * 5000 + b"}", ""),
        (b'{"a": {"b": 1, "b": 2}}', "b"),
        (b'{"a": [{"b": "x\\u0000y"}]}', "a.0.b"),
        (b'{"a\\u0000": 1}', ""),
        (b'{"a": "\\ud800"}', "a"),
        (b"[" * 60_000, ""),
        (nested(MAX_DEPTH + 1), ""),
    ],
)
def test_what_is_not_acceptable_is_refused_and_its_field_named(body: bytes, field: str) -> None:
    with pytest.raises(UnacceptableJson) as refused:
        parse(body)
    assert refused.value.field == field


def test_what_is_acceptable_is_read_as_it_is() -> None:
    assert parse(b'{"a": [1, 2.5, true, null, "\\u00e9 \\"[{[{"], "b": 9223372036854775807}') == {
        "a": [1, 2.5, True, None, 'é "[{[{'],
        "b": 2**63 - 1,
    }
    assert parse(nested(MAX_DEPTH))


def test_a_whole_number_may_be_written_with_a_point_or_an_exponent() -> None:
    quantities = parse(b'{"a": [2.0, 2e1, -0.0, 2.5]}')["a"]
    assert [(type(quantity), quantity) for quantity in quantities] == [(int, 2), (int, 20), (int, 0), (float, 2.5)]


def test_brackets_in_texts_are_not_depth() -> None:
    assert parse(b'{"a": "' + b"[" * 100 + b'"}') == {"a": "[" * 100}


def test_a_body_of_escaped_quotes_takes_linear_time() -> None:
    started = time.monotonic()
    with pytest.raises(UnacceptableJson):
        parse(b'{"' + b'\\"' * 32_000)
    assert time.monotonic() - started < 1
